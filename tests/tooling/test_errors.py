"""An error's docstring is its message, its code is stable, its ids are attributes."""

import pickle

import pytest

from cdp.errors import CdpError, InvalidField, NotFound


class AccountNotFound(NotFound):
    """There is no account {number}
    in division {division}.

    This paragraph is for programmers.
    """

    number: str
    division: str


def test_the_first_paragraph_of_the_docstring_is_the_message() -> None:
    error = AccountNotFound(number="K-1", division="Norte")
    assert error.message == "There is no account K-1 in division Norte."
    assert error.number == "K-1"


def test_the_body_for_programs_has_code_message_and_ids() -> None:
    assert InvalidField(field="due_on", problem="31 February does not exist.").body() == {
        "code": "invalid_field",
        "message": "due_on: 31 February does not exist.",
        "field": "due_on",
        "problem": "31 February does not exist.",
    }


def test_code_follows_the_name_and_status_the_kind() -> None:
    assert (AccountNotFound.code, AccountNotFound.http_status) == ("account_not_found", 404)


def test_an_error_survives_pickling() -> None:
    error = AccountNotFound(number="K-1", division="Norte")
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.body()) == (AccountNotFound, error.body())


def test_a_class_that_could_not_build_its_message_is_refused() -> None:
    with pytest.raises(TypeError, match=r"asks for \['number'\], which it does not declare"):
        type("Broken", (CdpError,), {"__doc__": "There is no {number}."})


def test_a_class_without_docstring_is_refused() -> None:
    with pytest.raises(TypeError, match="Broken has no docstring, so no message"):
        type("Broken", (CdpError,), {})
