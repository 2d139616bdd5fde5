"""People who sign in."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from classifier.actions.delete import delete_user
from classifier.models import Delivery, Endpoint, Image, Prediction, Review, Token, User

if TYPE_CHECKING:
    _UserAdmin = DjangoUserAdmin[User]
else:  # Django's own class takes no parameter at run time
    _UserAdmin = DjangoUserAdmin


@admin.register(User)
class UserAdmin(_UserAdmin):
    list_display = ("username", "email", "is_staff", "is_active", "last_login", "date_joined")
    list_filter = ("is_staff", "is_superuser", "is_active", "groups", "date_joined")
    show_full_result_count = False

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        delete_user(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            delete_user(user)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[str]]:
        """Count what people own instead of listing it; it may be too much to list."""
        deleted: dict[type[Model], int] = {
            User: len(objs),
            Image: Image.objects.filter(owner__in=objs).count(),
            Prediction: Prediction.objects.filter(owner__in=objs).count(),
            Review: Review.objects.filter(prediction__owner__in=objs).count(),
            Token: Token.objects.filter(owner__in=objs).count(),
            Endpoint: Endpoint.objects.filter(owner__in=objs).count(),
            Delivery: Delivery.objects.filter(endpoint__owner__in=objs).count(),
        }
        found = {model: count for model, count in deleted.items() if count}
        counts = {str(model._meta.verbose_name_plural): found[model] for model in found}
        lacking = {
            str(model._meta.verbose_name)
            for model in found
            if not self.admin_site.get_model_admin(model).has_delete_permission(request)
        }
        return [str(user) for user in objs], counts, lacking, []
