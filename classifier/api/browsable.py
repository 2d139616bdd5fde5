"""The API as pages, in the browser."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer

# The framework's, on one button. Our policy forbids it, and css/browsable.css has it instead.
INLINE = '<button style="float: right; margin-right: 10px"'


class BrowsableRenderer(BrowsableAPIRenderer):
    """For whoever is signed in and curious; templates/rest_framework/api.html has the looks."""

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> str:
        """The page, without styles inside it."""
        page: str = super().render(data, accepted_media_type, renderer_context)
        return page.replace(INLINE, "<button")
