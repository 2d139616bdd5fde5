from django.db import migrations


def crown(apps, schema_editor):
    """The version of a name that was activated last is its champion, and the others were before."""
    versions = apps.get_model('classifier', 'ModelVersion').objects
    changes = apps.get_model('classifier', 'AliasChange').objects
    champions = {}
    for version in versions.filter(activated_at__isnull=False).order_by('activated_at'):
        before = champions.get(version.name)
        changes.create(
            name=version.name,
            alias='champion',
            kind='activated',
            model_version_id=version.pk,
            holder=f'{version.name}@{version.version}',
            holder_before=f'{before.name}@{before.version}' if before else '',
            at=version.activated_at,
        )
        champions[version.name] = version
    versions.filter(pk__in=[version.pk for version in champions.values()]).update(alias='champion')


class Migration(migrations.Migration):
    # Apart from 0005: PostgreSQL changes no table that has rows with keys still to be checked.

    dependencies = [
        ('classifier', '0005_promotion'),
    ]

    operations = [
        migrations.RunPython(crown, migrations.RunPython.noop),
    ]
