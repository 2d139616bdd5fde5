from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0006_champions'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='prediction',
            index=models.Index(condition=models.Q(('status', 'queued')), fields=['status', 'model_version', '-priority', 'id'], name='prediction_of_version'),
        ),
    ]
