"""From a target to an application: each way in which it goes wrong says what to do about it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from ropewalk.loading import LoadingError, load_application


def files_of(traceback: str) -> set[str]:
    """The names of the files whose frames a traceback shows."""
    return {Path(name).name for name in re.findall(r'^  File "([^"]+)"', traceback, re.MULTILINE)}


def failure(apps: Path, target: str, *, factory: bool = False) -> LoadingError:
    """The error of loading a target."""
    with pytest.raises(LoadingError) as raised:
        load_application(target, str(apps), factory)
    return raised.value


def test_attribute_of_a_module_is_the_application(apps: Path) -> None:
    assert load_application("answering:app", str(apps)) is sys.modules["answering"].app


def test_attribute_may_be_dotted(apps: Path) -> None:
    assert load_application("answering:site.inner.app", str(apps)) is sys.modules["answering"].app


def test_module_may_be_in_a_package(apps: Path, tmp_path: Path) -> None:
    package = tmp_path / "shop_for_this_test"
    package.mkdir()
    (package / "asgi.py").write_text("app = print\n", encoding="utf-8")
    assert load_application("shop_for_this_test.asgi:app", str(tmp_path)) is print
    for name in ("shop_for_this_test.asgi", "shop_for_this_test"):
        del sys.modules[name]


def test_module_may_have_a_name_that_no_statement_can_import(apps: Path) -> None:
    assert load_application("dashed-name:app", str(apps)) is print


def test_app_dir_comes_first_on_the_path_and_only_once(apps: Path) -> None:
    for _ in range(2):
        load_application("answering:app", str(apps))
    assert sys.path[0] == str(apps)
    assert sys.path.count(str(apps)) == 1


def test_app_dir_that_stands_further_back_on_the_path_still_comes_first(apps: Path, tmp_path: Path) -> None:
    (tmp_path / "answering.py").write_text("app = print\n", encoding="utf-8")
    sys.path[:0] = [str(apps), str(tmp_path)]
    assert load_application("answering:app", str(tmp_path)) is print
    del sys.modules["answering"]


def test_app_dir_may_be_relative(apps: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(apps.parent)
    assert load_application("answering:app", apps.name) is sys.modules["answering"].app


def test_app_dir_that_is_not_there_is_named(apps: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadingError, match=r"--app-dir .*nowhere: no such directory"):
        load_application("answering:app", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("", "mysite.asgi:application", id="empty"),
        pytest.param(":", "mysite.asgi:application", id="colon"),
        pytest.param(":app", "mysite.asgi:application", id="no-module"),
        pytest.param("shop", "for example shop:app", id="no-colon"),
        pytest.param("shop.asgi:", "for example shop.asgi:app", id="no-attribute"),
        pytest.param("shop/asgi.py:app", "a file and not .*for example shop.asgi:app", id="file"),
        pytest.param("shop\\asgi.py:app", "a file and not .*for example shop.asgi:app", id="other-slash"),
        pytest.param("./asgi.py:app", "a file and not .*for example asgi:app", id="file-in-this-folder"),
        pytest.param("asgi.py:app", "a file and not .*for example asgi:app", id="py"),
        pytest.param(".asgi:app", "'.asgi' is not the name of a module", id="relative"),
        pytest.param("shop..asgi:app", "'shop..asgi' is not the name of a module", id="two-dots"),
    ],
)
def test_malformed_target_is_refused_with_an_example(apps: Path, target: str, words: str) -> None:
    error = failure(apps, target)
    assert re.search(words, str(error))
    assert error.traceback == ""


@pytest.mark.parametrize(
    ("target", "missing"),
    [
        pytest.param("no_such_module:app", "no_such_module", id="module"),
        pytest.param("no_such_package.asgi:app", "no_such_package", id="package"),
        pytest.param("json.asgi:app", "json.asgi", id="module-of-a-package"),
    ],
)
def test_module_that_is_not_there_is_named_with_a_hint(apps: Path, target: str, missing: str) -> None:
    error = failure(apps, target)
    assert str(error).startswith(f"there is no module {missing!r} in {apps}")
    assert "--app-dir" in str(error)
    assert error.traceback == ""


def test_dependency_that_is_not_there_is_named_with_the_line_that_needs_it(apps: Path) -> None:
    error = failure(apps, "missing_dependency:app")
    assert "needs the module 'a_module_that_nobody_has', which is not installed here" in str(error)
    assert files_of(error.traceback) == {"missing_dependency.py"}


def test_exception_in_the_module_shows_only_its_own_frames(apps: Path) -> None:
    error = failure(apps, "failing_import:app")
    assert "importing 'failing_import' failed with LookupError" in str(error)
    assert files_of(error.traceback) == {"failing_import.py"}
    assert "in read_settings" in error.traceback
    assert error.traceback.endswith("LookupError: no settings here\n")
    assert isinstance(error.__cause__, LookupError)


def test_import_error_with_words_of_its_own_is_shown_with_them(apps: Path) -> None:
    error = failure(apps, "worded_import_error:app")
    assert "failed with ModuleNotFoundError" in str(error)
    assert "install the extra called sails" in error.traceback
    assert files_of(error.traceback) == {"worded_import_error.py"}


def test_module_that_ends_the_process_does_not(apps: Path) -> None:
    error = failure(apps, "exiting_import:app")
    assert "failed with SystemExit" in str(error)
    assert files_of(error.traceback) == {"exiting_import.py"}


def test_syntax_error_is_shown_with_its_line(apps: Path, tmp_path: Path) -> None:
    (tmp_path / "cut_short.py").write_text("app = (\n", encoding="utf-8")
    error = failure(tmp_path, "cut_short:app")
    assert "failed with SyntaxError" in str(error)
    assert "app = (" in error.traceback
    assert files_of(error.traceback) == {"cut_short.py"}


@pytest.mark.parametrize(
    ("target", "words"),
    [
        pytest.param("answering:ap", "'answering' has no attribute 'ap'; did you mean 'app'?", id="close"),
        pytest.param("answering:xyz", "has no attribute 'xyz'; it has 'app'", id="usual-name"),
        pytest.param("failing_startup:xyz.app", "'failing_startup' has no attribute 'xyz'", id="first"),
        pytest.param(
            "answering:site.iner.app",
            "'site' in module 'answering' has no attribute 'iner'; did you mean 'inner'?",
            id="second",
        ),
        pytest.param("answering:site.inner.", "'inner' in 'site' in module 'answering' has", id="empty-last"),
        pytest.param("answering:.app", "module 'answering' has no attribute ''", id="empty-first"),
        pytest.param("answering:app:more", "'answering' has no attribute 'app:more'", id="two-colons"),
    ],
)
def test_attribute_that_is_not_there_is_named_with_a_suggestion(apps: Path, target: str, words: str) -> None:
    assert words in str(failure(apps, target))


def test_attribute_is_not_suggested_where_nothing_is_like_it(apps: Path) -> None:
    assert str(failure(apps, "lazy:quite_different")).endswith("has no attribute 'quite_different'")


@pytest.mark.parametrize(
    ("target", "file", "words"),
    [
        ("lazy:app", "lazy.py", "no database to make the application with"),
        ("answering:site.broken", "answering.py", "the site is not configured"),
    ],
)
def test_attribute_that_fails_to_be_made_shows_its_own_frames(
    apps: Path, target: str, file: str, words: str
) -> None:
    error = failure(apps, target)
    assert f"looking up {target!r} failed with" in str(error)
    assert words in error.traceback
    assert files_of(error.traceback) == {file}


def test_factory_is_called_for_the_application(apps: Path) -> None:
    made = load_application("factories:create_app", str(apps), factory=True)
    assert made is sys.modules["answering"].app


def test_factory_is_left_alone_when_it_is_not_called_one(apps: Path) -> None:
    found = load_application("factories:create_app", str(apps))
    assert found is sys.modules["factories"].create_app


@pytest.mark.parametrize(
    ("name", "words", "traceback"),
    [
        ("create_failing", "failed with LookupError", "LookupError: no settings here"),
        ("create_exiting", "failed with SystemExit", "SystemExit: 7"),
        ("create_from", "failed with TypeError", "missing 1 required positional argument: 'settings'"),
    ],
)
def test_factory_that_fails_shows_its_own_frames(apps: Path, name: str, words: str, traceback: str) -> None:
    error = failure(apps, f"factories:{name}", factory=True)
    assert str(error).startswith(f"--factory: factories:{name}() {words}")
    assert traceback in error.traceback
    assert files_of(error.traceback) <= {"factories.py"}


def test_factory_that_is_not_callable_is_refused(apps: Path) -> None:
    error = failure(apps, "factories:not_callable", factory=True)
    assert "factories:not_callable is not callable but int" in str(error)


def test_factory_that_is_a_coroutine_function_is_refused(apps: Path) -> None:
    error = failure(apps, "factories:create_later", factory=True)
    assert "factories:create_later is a coroutine function" in str(error)
    assert "lifespan" in str(error)
