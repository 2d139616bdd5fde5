"""What the pages of the admin share."""

import functools
import operator
import uuid
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.actions.render import Rendition
from classifier.admin.dates import DatedChangeList
from classifier.models import Image, Review, Verdict

M = TypeVar("M", bound=Model)

if TYPE_CHECKING:

    class _ModelAdmin(admin.ModelAdmin[M]): ...

    class _Paginator(Paginator[M]): ...

else:  # Django's own classes take no parameter at run time

    class _ModelAdmin(admin.ModelAdmin, Generic[M]): ...

    class _Paginator(Paginator, Generic[M]): ...


NOTHING = "–"  # stands where a row has no such value
MOST_AT_ONCE = 10_000
# Deleting takes a transaction and a few files a row, and its confirmation one form field a row.
MOST_DELETED_AT_ONCE = 500


class BoundedPaginator(_Paginator[M]):
    """Pages through a table of any size at the cost of one of `MOST` rows.

    It counts no further than that, and finds the ids of a page before it joins and loads its rows.
    """

    MOST = 100_000

    @cached_property
    def count(self) -> int:
        return self._rows.order_by()[: self.MOST].count()

    @property
    def is_bounded(self) -> bool:
        """Whether there may be more rows than were counted."""
        return self.count == self.MOST

    def page(self, number: int | str) -> Page[M]:
        page = super().page(number)
        start = (page.number - 1) * self.per_page
        end = min(start + self.per_page, self.count)
        ids = list(self._rows.values_list("pk", flat=True)[start:end])
        page.object_list = self._rows.filter(pk__in=ids)
        return page

    @property
    def _rows(self) -> QuerySet[M]:
        assert isinstance(self.object_list, QuerySet)
        return self.object_list


class ReadOnlyAdmin(_ModelAdmin[M]):
    """Rows to look at: none is added or changed by hand, and lists stay quick however long.

    `id_fields` name where a UUID that is searched for may stand. Rows `for_all_staff` are seen by
    whoever is staff; others need Django's permission to view them.
    """

    list_per_page = 50
    paginator = BoundedPaginator
    show_facets = admin.ShowFacets.NEVER
    show_full_result_count = False
    empty_value_display = NOTHING
    id_fields: ClassVar[tuple[str, ...]] = ("pk",)
    for_all_staff: ClassVar[bool] = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return DatedChangeList

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._is_for(request) or super().has_module_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return self._is_for(request) or super().has_view_permission(request, obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> list[str]:
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def _is_for(self, request: HttpRequest) -> bool:
        return self.for_all_staff and request.user.is_active and request.user.is_staff

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Look an id up by index; search the text columns for anything else."""
        try:
            wanted = uuid.UUID(search_term.strip())
        except ValueError:
            return self.search_text(request, queryset, search_term)
        matches = (Q((field, wanted)) for field in self.id_fields)
        return queryset.filter(functools.reduce(operator.or_, matches)), False

    def search_text(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[M], bool]:
        """Search `search_fields`, as Django does."""
        return super().get_search_results(request, queryset, search_term)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[M], *args: Any
    ) -> HttpResponse | None:
        """Refuse to do more in one request than fits into one."""
        most = (
            MOST_DELETED_AT_ONCE
            if request.POST.get("action") == "delete_selected"
            else MOST_AT_ONCE
        )
        everything = request.POST.get("select_across") == "1"
        if everything and queryset.order_by()[: most + 1].count() > most:
            self.message_user(
                request,
                _("More than %(most)d are selected, which is too many at once. Narrow the list.")
                % {"most": most},
                messages.ERROR,
            )
            return HttpResponseRedirect(request.get_full_path())
        return super().response_action(request, queryset, *args)


def thumbnail(image: Image) -> SafeString:
    """A small picture in a box of fixed size, loaded when it scrolls into view."""
    return format_html(
        '<img class="thumbnail" src="{}" alt="{}" width="64" height="64" loading="lazy">',
        reverse("image", args=[image.pk, Rendition.THUMBNAIL]),
        image.original_name,
    )


def with_shape(kind: str, shape: str, word: str) -> SafeString:
    """A state by word and shape; the colour that `kind` gives it only repeats them."""
    return format_html(
        '<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>',
        kind,
        shape,
        word,
    )


def verdict_shape(review: Review) -> SafeString:
    """A review in one line: the verdict and the true label."""
    shape = "✓" if review.verdict == Verdict.CONFIRMED else "✎"
    return with_shape(review.verdict, shape, str(review))
