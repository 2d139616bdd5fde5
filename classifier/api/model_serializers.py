"""How models look, for the schema; views/models.py writes them."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from classifier.api.pagination import NumberedPages
from classifier.models import Alias

NUMBER = {"type": "integer", "minimum": 1}
SIZE = {"maximum": NumberedPages.max_page_size, "default": NumberedPages.page_size}
PAGE = [
    OpenApiParameter("page", {**NUMBER, "maximum": NumberedPages.max_page, "default": 1}),
    OpenApiParameter("page_size", {**NUMBER, **SIZE}),
]


class ModelUrls(serializers.Serializer[Any]):
    get = serializers.URLField()


class VersionUrls(ModelUrls):
    model = serializers.URLField()


class VersionBrief(serializers.Serializer[Any]):
    """What one needs to choose among versions."""

    name = serializers.CharField()
    version = serializers.IntegerField()
    aliases = serializers.ListField(
        child=serializers.ChoiceField(Alias.choices),
        help_text="`champion`: the name alone means it; `challenger`: it is tried beside it.",
    )
    architecture = serializers.CharField()
    engine = serializers.CharField(help_text="What computes it for reference.")
    created_at = serializers.DateTimeField(help_text="When it was installed.")
    activated_at = serializers.DateTimeField(
        allow_null=True, help_text="When it was last told to serve."
    )
    urls = VersionUrls()


class VersionSerializer(VersionBrief):
    """All that is known of a version."""

    variant = serializers.CharField(help_text="What computes it now, such as `torch fp32`.")
    labels = serializers.ListField(
        child=serializers.CharField(), help_text="In the order of the network's outputs."
    )
    spec = serializers.DictField(help_text="How an image becomes the network's input.")
    metrics = serializers.DictField(help_text="How well it did, and on what.")
    licence = serializers.CharField(allow_blank=True)
    source = serializers.CharField(  # type: ignore[assignment]
        allow_blank=True, help_text="Where it comes from."
    )
    sha256 = serializers.CharField(help_text="Of the weights.")


class ModelSerializer(serializers.Serializer[Any]):
    """All versions of one name."""

    name = serializers.CharField()
    serves = serializers.BooleanField(help_text="One of its versions answers by default.")
    version = serializers.IntegerField(help_text="The one that the name alone means.")
    versions = VersionBrief(many=True)
    urls = ModelUrls()


class ModelPage(serializers.Serializer[Any]):
    """A page of models."""

    count = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ModelSerializer(many=True)
