"""Nobody reads, changes or deletes what is somebody else's, on any route there is."""

import uuid

import pytest
from django.contrib.auth import get_user_model
from django.urls import URLPattern, URLResolver, get_resolver

from chat.models import Conversation, Turn
from tests.asking import Browser

pytestmark = pytest.mark.django_db

SECRET = "the swallow flies at noon"

# What takes ids in its form, and the status for each that is somebody else's. What has an id in its path answers 404.
FORMS = {"page", "ask", "stream"}
STATUSES = {"conversation": 404, "replaces": 422}
# What takes no id of anybody's.
WITHOUT_IDS = {"ask_many", "conversations", "delete_all", "export_all", "sign_in", "sign_out", "demo"}
WITHOUT_IDS |= {"account", "language", "change_password", "sign_out_everywhere", "delete_account"}
WITHOUT_IDS |= {"sign_up", "ask_for_link", "choose_password"}  # the id in a link is signed
# % if cookiecutter.usage
WITHOUT_IDS |= {"summary", "team"}
# % endif
{{ "\n" }}
def routes(resolver, prefix=""):
    """Every route of the project but those of the admin, which asks for permissions."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver) and entry.app_name != "admin":
            yield from routes(entry, prefix + str(entry.pattern))
        elif isinstance(entry, URLPattern):
            yield prefix + str(entry.pattern), entry.name


ROUTES = dict(routes(get_resolver()))


def filled(route, conversation):
    """The route with the ids of a conversation in place of what is open in it; a route that has more fails."""
    values = {"<uuid:pk>": str(conversation.pk), "<slug:extension>": "json"}
    for name, value in values.items():
        route = route.replace(name, value)
    assert "<" not in route, f"say here what {route} names"
    return f"/{route}"


@pytest.fixture
def conversation(anonymous) -> Conversation:
    """Of somebody else."""
    owner = get_user_model().objects.create_user("owner")
    anonymous.sign_in(owner)
    anonymous.post("/", {"prompt": SECRET}, follow=True)
    return Conversation.objects.get()


def rows():
    return list(Conversation.objects.values()), list(Turn.objects.values())


@pytest.mark.parametrize("route", [route for route in ROUTES if "<" in route])
def test_a_path_with_an_id_of_somebody_else_is_not_there(user, conversation, wire, route):
    before = rows()
    if "pk" in route:
        path = filled(route, conversation)
        for reply in (user.get(path), user.post(path, {"prompt": "What is it?", "title": "Mine"})):
            assert reply.status in (404, 405)
            assert SECRET not in reply.text
        assert user.get(path).status == 404
    else:
        assert SECRET not in user.get(filled(route, conversation)).text
    assert rows() == before
    assert wire == []


@pytest.mark.parametrize("named", STATUSES)
@pytest.mark.parametrize(("route", "name"), [item for item in ROUTES.items() if "<" not in item[0]])
def test_a_form_with_an_id_of_somebody_else_is_refused(user, conversation, wire, route, name, named):
    assert name in FORMS or name in WITHOUT_IDS, f"say here whether {route} takes an id"
    before = rows()
    ids = {"conversation": conversation.pk}
    if named == "replaces":
        ids = {"conversation": uuid.uuid4(), "replaces": Turn.objects.get().idempotency_key}
    reply = user.post(f"/{route}", {"prompt": "What is it?", **ids, "idempotency_key": uuid.uuid4()})
    assert SECRET not in reply.text
    if name in FORMS:
        assert reply.status == STATUSES[named]
        assert wire == []
    assert rows()[0] == before[0]
    assert Turn.objects.filter(conversation=conversation).count() == 1


@pytest.mark.parametrize("name", sorted(FORMS))
def test_a_key_of_somebody_else_gets_no_answer_of_theirs(user, conversation, name):
    turn = Turn.objects.get()
    for route in [route for route, of_route in ROUTES.items() if of_route == name]:
        reply = user.post(f"/{route}", {"prompt": "What is it?", "idempotency_key": turn.idempotency_key}, follow=True)
        assert SECRET not in reply.text


def test_nothing_of_somebody_else_is_listed_found_or_exported(user, conversation):
    for path in ("/", "/c/", f"/c/?q={SECRET}", "/c/export.json", "/c/export.md"):
        assert user.get(path).text.count(SECRET) == ("q=" in path)  # the words that were looked for


def test_a_visitor_is_sent_to_sign_in(conversation):
    for route in ROUTES:
        if route.startswith("c/"):
            reply = Browser().get(filled(route, conversation))
            assert (reply.status, SECRET in reply.text) == (302, False)
