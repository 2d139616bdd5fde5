"""Celery tasks. Each is a doorbell: no argument, one call.

Which process runs what is said on its command line, with `-I` and `-Q`::

    worker   celery -A config worker -P threads -c 2
                 -I classifier.worker.classify,classifier.worker.evaluate -Q classify,evaluate
    chores   celery -A config worker -P threads -c 2
                 -I classifier.worker.sweep,classifier.worker.deliver -Q chores,deliver
    beat     celery -A config beat

The chores process has two threads because delivering webhooks keeps one for as long as anything is
under way, and never more than one: the sweep always finds the other.

Beat says when chores are due. It is a process of its own and not `--beat` within chores, where it
could die without anybody noticing.
"""
