"""Identifiers sort by the time of their making, and cannot be guessed."""

import time

from classifier.models.ids import uuid7


def test_an_identifier_says_its_version_and_time():
    made = uuid7()
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert abs((made.int >> 80) / 1000 - time.time()) < 5


def test_identifiers_made_one_after_the_other_are_in_order():
    made = []
    for _ in range(1000):
        made.append(uuid7())
        time.sleep(1e-6)
    assert made == sorted(made)
    assert len(set(made)) == 1000
