"""The sandbox's files: kept as they came, everybody's alike, and never billed."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox

FORM: dict[str, Any] = {"purpose": "batch", "file": ("a.bin", b"\x00\r\n" * 50_000)}


def upload(sandbox: Sandbox, **fields: Any) -> Any:
    response = sandbox.request("POST", "/v1/files", fields={**FORM, **fields})
    assert response.status == 200, response.data
    return response.json()


def test_file_comes_back_byte_for_byte(sandbox: Sandbox) -> None:
    file = upload(sandbox)
    assert (file["object"], file["bytes"], file["filename"]) == ("file", 150_000, "a.bin")
    assert sandbox.request("GET", f"/v1/files/{file['id']}").json() == file
    content = sandbox.request("GET", f"/v1/files/{file['id']}/content")
    assert content.data == FORM["file"][1]
    assert content.headers["content-type"] == "application/octet-stream"
    assert sandbox.bill()["count"] == 0


def test_files_are_listed_until_they_are_deleted(sandbox: Sandbox) -> None:
    first, second = upload(sandbox), upload(sandbox, purpose="vision")
    listed = sandbox.request("GET", "/v1/files").json()["data"]
    assert listed[:2] == [second, first]
    gone = sandbox.request("DELETE", f"/v1/files/{second['id']}")
    assert gone.json() == {"object": "file", "deleted": True, "id": second["id"]}
    assert sandbox.request("GET", "/v1/files").json()["data"][0] == first
    for method, rest in (("GET", ""), ("GET", "/content"), ("DELETE", "")):
        assert sandbox.request(method, f"/v1/files/{second['id']}{rest}").status == 404


@pytest.mark.parametrize(("fields", "param"), [({"purpose": "fun"}, "purpose"), ({"file": "a text"}, "file")])
def test_wrong_form_is_refused(sandbox: Sandbox, fields: dict[str, Any], param: str) -> None:
    response = sandbox.request("POST", "/v1/files", fields={**FORM, **fields})
    assert (response.status, response.json()["error"]["param"]) == (400, param)
