"""What the command `token` is told, understood or refused."""

from classifier.actions.tokens import ORDINARY_SCOPES, PREFIX_LENGTH, grantable_scopes
from classifier.management.refusals import refuse, suggestion
from classifier.models import Scope, Token, User
from classifier.models.token import TokenQuerySet

NAME_LENGTH = Token._meta.get_field("name").max_length or 0


def find_user(username: str) -> User:
    """The person of that name.

    Raises:
        CommandError: if there is none; it names those that look like it.
    """
    try:
        return User.objects.get_by_natural_key(username)
    except User.DoesNotExist as error:
        known = User.objects.values_list("username", flat=True)
        raise refuse(f"There is no user {username}.{suggestion(username, known)}") from error


def parse_name(name: str) -> str:
    """A token's name, without white space around it.

    Raises:
        CommandError: if nothing is left of it, or too much, or no letters.
    """
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise refuse(f"--name takes 1 to {NAME_LENGTH} letters that say what uses the token.")
    return name


def parse_scopes(given: list[str] | None, owner: User) -> list[Scope]:
    """The scopes of one or more lists with commas; the ordinary ones where none is given.

    Raises:
        CommandError: if one is unknown or not for this person, or the lists are empty.
    """
    if given is None:
        return list(ORDINARY_SCOPES)
    names = [name.strip() for text in given for name in text.split(",") if name.strip()]
    for name in names:
        if name not in Scope:
            hint = suggestion(name, Scope.values) or f" Known are {', '.join(Scope.values)}."
            raise refuse(f"There is no scope {name}.{hint}")
    if not names:
        raise refuse(f"--scope takes one or more of {', '.join(Scope.values)}.")
    for name in {*names} - {*grantable_scopes(owner)}:
        raise refuse(f"{name} is for staff only, and {owner} is not.")
    return [Scope(name) for name in names]


def find_token(given: str) -> Token:
    """The one token that begins so and has not ended.

    Raises:
        CommandError: if there is none, or more than one.
    """
    wanted = given.rstrip("…")[:PREFIX_LENGTH]
    if not wanted:
        raise refuse("PREFIX is empty. `token list` shows how the tokens begin.")
    found = _beginning(Token.objects.alive(), wanted)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(map(str, found))
        raise refuse(f"More than one token begins with {wanted}: {names}. Give more of it.")
    if ended := _beginning(Token.objects.all(), wanted):
        raise refuse(f"{ended[0]} works no more: {ended[0].state.label.lower()}.")
    raise refuse(f"No token begins with {wanted}. `token list` shows how they begin.")


def _beginning(tokens: TokenQuerySet, wanted: str) -> list[Token]:
    """Those whose prefix begins so; upper and lower case are not the same, as SQLite thinks."""
    candidates = tokens.filter(prefix__startswith=wanted).select_related("owner")
    return [token for token in candidates if token.prefix.startswith(wanted)]
