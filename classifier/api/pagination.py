"""Short lists come in numbered pages; keyset.py has the pages of the long ones."""

from typing import Any

from django.core.paginator import EmptyPage, Paginator
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request


class NumberedPages(PageNumberPagination):
    """`page` and `page_size`; what makes no sense is refused, and not silently replaced."""

    page_size = 24
    page_size_query_param = "page_size"
    max_page_size = 200
    max_page = 1_000_000

    def get_page_size(self, request: Request) -> int:
        """How many items a page has.

        Raises:
            ValidationError: if it cannot have so many.
        """
        return self._whole(request, "page_size", self.page_size, self.max_page_size)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Read the page that was asked for.

        Raises:
            NotFound: if there is no such page.
        """
        self.request = request
        paginator = Paginator(queryset, self.get_page_size(request))
        number = self._whole(request, "page", 1, self.max_page)
        try:
            self.page = paginator.page(number)
        except EmptyPage as error:
            raise NotFound(f"There are {paginator.num_pages} pages.") from error
        return list(self.page)

    def _whole(self, request: Request, name: str, default: int, most: int) -> int:
        asked = request.query_params.get(name, str(default))
        numeric = asked.isascii() and asked.isdecimal() and len(asked) < 10
        if not numeric or not 1 <= int(asked) <= most:
            reason = f"This must be a whole number from 1 to {most}."
            raise ValidationError({name: [reason]}, "invalid")
        return int(asked)
