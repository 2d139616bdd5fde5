"""The admin: staff look at everything, review predictions and choose the model that serves."""

from django.contrib import admin

from classifier.admin import images, model_versions, predictions, reviews, tokens, users, webhooks

__all__ = ["images", "model_versions", "predictions", "reviews", "tokens", "users", "webhooks"]

admin.site.site_header = admin.site.site_title = "Sightline"
admin.site.enable_nav_sidebar = False  # the lists need the room
