"""The shapes of answers, for the schema; representations.py fills them, and a test compares."""

from typing import Any

from rest_framework import serializers

from classifier.api.values import PRIORITIES
from classifier.images import FORMATS
from classifier.models import Source, Status, Verdict

Shape = serializers.Serializer[Any]


class LabelSerializer(Shape):
    label = serializers.CharField()  # type: ignore[assignment]
    score = serializers.FloatField(min_value=0, max_value=1)


class ImageSerializer(Shape):
    id = serializers.UUIDField()
    name = serializers.CharField(help_text="As it was sent when these bytes first came.")
    format = serializers.ChoiceField(choices=FORMATS)
    width = serializers.IntegerField(help_text="In pixels, as one looks at it.")
    height = serializers.IntegerField(help_text="In pixels, as one looks at it.")
    bytes = serializers.IntegerField()
    sha256 = serializers.RegexField("^[0-9a-f]{64}$")


class InputSerializer(Shape):
    image = ImageSerializer()


class ErrorSerializer(Shape):
    code = serializers.CharField(help_text="For programs.")
    detail = serializers.CharField(help_text="For people.")


class MetricsSerializer(Shape):
    queue_time = serializers.FloatField(
        allow_null=True, help_text="Seconds until the worker began that gave the answer."
    )
    predict_time = serializers.FloatField(
        allow_null=True, help_text="Seconds in the network, for the whole batch."
    )
    total_time = serializers.FloatField(
        allow_null=True, help_text="Seconds from the upload to the end."
    )
    batch_size = serializers.IntegerField(
        allow_null=True, help_text="How many images the worker took together."
    )
    engine = serializers.CharField(help_text="What computed it, or would now.")
    variant = serializers.CharField(
        allow_null=True, help_text="How it was computed: the engine, the precision, the recipe."
    )
    cached = serializers.BooleanField(
        help_text="Whether an earlier answer to the same image was taken."
    )


class QueueSerializer(Shape):
    position = serializers.IntegerField(
        allow_null=True, min_value=1, help_text="From 1; null if it is far back."
    )
    eta_seconds = serializers.FloatField(
        allow_null=True, min_value=0, help_text="By the pace of the latest answers."
    )


class PredictionUrlsSerializer(Shape):
    get = serializers.URLField()
    cancel = serializers.URLField()
    image = serializers.URLField()
    batch = serializers.URLField(allow_null=True)


class PredictionSerializer(Shape):
    """One image through one model version."""

    id = serializers.UUIDField()
    model = serializers.CharField()
    version = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Status.choices)
    input = InputSerializer()
    output = LabelSerializer(many=True, allow_null=True, help_text="Best first; once succeeded.")
    label_set = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Holds the truth as often as the model's calibration promises; at most ten.",
    )
    abstained = serializers.BooleanField(
        help_text="Whether the best label is no more than a guess."
    )
    doubt = serializers.CharField(allow_null=True, help_text="Why so: `ambiguous` or `unfamiliar`.")
    error = ErrorSerializer(allow_null=True, help_text="Why it failed.")
    metrics = MetricsSerializer()
    queue = QueueSerializer(allow_null=True, help_text="While it is queued.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    completed_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)
    priority = serializers.ChoiceField(choices=list(PRIORITIES))
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    batch = serializers.UUIDField(allow_null=True)
    metadata = serializers.DictField()
    urls = PredictionUrlsSerializer()


class CountsSerializer(Shape):
    queued = serializers.IntegerField(min_value=0)
    running = serializers.IntegerField(min_value=0)
    succeeded = serializers.IntegerField(min_value=0)
    failed = serializers.IntegerField(min_value=0)
    canceled = serializers.IntegerField(min_value=0)
    refused = serializers.IntegerField(min_value=0)


class BatchUrlsSerializer(Shape):
    get = serializers.URLField()
    results = serializers.URLField()
    cancel = serializers.URLField()


class BatchSerializer(Shape):
    """The images of one request, and how far they are."""

    id = serializers.UUIDField()
    size = serializers.IntegerField(help_text="How many images were sent.")
    counts = CountsSerializer(help_text="How many are in which state.")
    progress = serializers.FloatField(min_value=0, max_value=1, help_text="1 when all have ended.")
    eta_seconds = serializers.FloatField(
        allow_null=True, min_value=0, help_text="Until the last one may be answered."
    )
    created_at = serializers.DateTimeField()
    urls = BatchUrlsSerializer()


class ItemSerializer(Shape):
    """What became of one image of a batch: it has a prediction, or was refused for a reason."""

    index = serializers.IntegerField(min_value=0, help_text="Its place in the request, from 0.")
    name = serializers.CharField()
    status = serializers.ChoiceField(choices=["accepted", "refused"])
    prediction = PredictionSerializer(allow_null=True)
    error = ErrorSerializer(allow_null=True)


class ItemsSerializer(Shape):
    items = ItemSerializer(many=True)


class BatchWithItemsSerializer(BatchSerializer):
    items = ItemSerializer(many=True)


class ReviewSerializer(Shape):
    """What a person says that a picture shows."""

    prediction = serializers.UUIDField()
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    label = serializers.CharField()  # type: ignore[assignment]
    reviewer = serializers.CharField(allow_null=True)
    reviewed_at = serializers.DateTimeField()


class UploadForm(Shape):
    """The form that a browser shows."""

    image = serializers.FileField()
    model = serializers.CharField(
        required=False, initial=None, help_text="Empty for the one that serves."
    )
    top_k = serializers.IntegerField(required=False, min_value=1, help_text="How many labels.")
    threshold = serializers.FloatField(
        required=False, min_value=0, max_value=1, help_text="Leave out labels with a lower score."
    )
    priority = serializers.ChoiceField(choices=list(PRIORITIES), initial="normal", required=False)
