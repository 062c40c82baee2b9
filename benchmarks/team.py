"""What a team does to a project, in few lines of each kind, and whether that is still there."""

from typing import NamedTuple

SETTING = 'LIBRARY_CLOSES = config("LIBRARY_CLOSES", default="18:00")\n'
APPS = "INSTALLED_APPS = [\n"
URLS = "urlpatterns = [\n"
USER = "class User(AbstractUser):\n"


class Edit(NamedTuple):
    """A text that is put before or after another text of a file, or at its end."""

    name: str
    path: str
    text: str
    before: str = ""
    after: str = ""

    def make(self, project):
        path = project / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        place = self.before or self.after
        assert place in old, f"{self.path} has no {place!r}"
        new = self.text + place if self.before else place + self.text
        path.write_text(old.replace(place, new, 1) if place else old + self.text, encoding="utf-8")

    def is_kept(self, project):
        path = project / self.path
        return path.exists() and self.text.strip("\n") in path.read_text(encoding="utf-8")


MODEL = """from django.conf import settings
from django.db import models


class Book(models.Model):
    title = models.CharField(max_length=80)
    reader = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
"""
TESTS = """from django.conf import settings

from library.models import Book


def test_the_library_has_its_setting_its_view_its_field_and_its_prompt(client, django_user_model):
    user = django_user_model.objects.create_user("ada", shelf="B4")
    client.force_login(user)
    assert client.get("/closing/").content == settings.LIBRARY_CLOSES.encode()
    Book.objects.create(title="Emma", reader=user)
    assert Book.objects.get(reader__shelf="B4").title == "Emma"
    assert "librarian" in (settings.BASE_DIR / "prompts" / "system.md").read_text()
"""
VIEW = '''

def closing(request: HttpRequest) -> HttpResponse:
    """When the library closes."""
    from django.conf import settings

    return HttpResponse(settings.LIBRARY_CLOSES)
'''

EDITS = [
    Edit("a setting", "config/settings.py", '    "library",\n', after=APPS),
    Edit("a setting", "config/settings.py", SETTING, before='DOMAIN = "'),
    Edit("a view", "chat/views.py", VIEW),
    Edit("a view", "chat/urls.py", '    path("closing/", views.closing, name="closing"),\n', after=URLS),
    Edit("a view", "tests/test_isolation.py", 'WITHOUT_IDS |= {"closing"}\n', before="\n\ndef routes("),
    Edit("a prompt", "prompts/system.md", "You are a librarian. Answer in one sentence.\n"),
    Edit("an app", "library/__init__.py", ""),
    Edit("an app", "library/models.py", MODEL),
    Edit("an app", "tests/test_library.py", TESTS),
    Edit("a field", "accounts/models.py", "    shelf = models.CharField(max_length=20, blank=True)\n", after=USER),
    Edit("a field", "accounts/models.py", "from django.db import models\n", after="import AbstractUser\n"),
]  # fmt: skip
DELETED = "docs/operations.md"


KINDS = [*dict.fromkeys(edit.name for edit in EDITS), "a deleted file"]


def change(project):
    """All edits, without the migrations that makemigrations writes for them."""
    (project / "prompts" / "system.md").unlink()  # another prompt is in its place
    for edit in EDITS:
        edit.make(project)
    (project / DELETED).unlink()


def lost(project):
    """The names of the edits that are not there any more."""
    gone = {edit.name for edit in EDITS if not edit.is_kept(project)}
    return [kind for kind in KINDS if kind in gone or (kind == KINDS[-1] and (project / DELETED).exists())]
