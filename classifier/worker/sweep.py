"""The task that beat starts every few seconds."""

from celery import shared_task

from classifier.actions.sweep import sweep


@shared_task(name="sweep")
def sweep_task() -> None:
    sweep()
