"""`/docs`: the API as a plain page made from its own description. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import Any, Final, cast

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse

from fare.web.security import HEADERS

STYLE_PATH: Final = "/docs/style.css"
_METHODS: Final = ("get", "post", "put", "patch", "delete")

_STYLE: Final = """
:root { color-scheme: light dark }
:root { --line: light-dark(#d8d8d2, #44443f); --quiet: light-dark(#55554f, #b9b9b0) }
body { margin: 0 auto; padding: 2rem 1.25rem 4rem; max-width: 54rem }
body { font: 1.125rem/1.6 system-ui, sans-serif }
h1 { font-size: 1.9rem; margin-block-end: 0 }
h2 { font-size: 1.2rem; margin: 0 }
h3 { font-size: 1rem }
p { margin-block: .5rem }
.quiet { color: var(--quiet) }
article { border-block-start: 1px solid var(--line); padding-block: 1.5rem }
code, .method { font-family: ui-monospace, monospace; font-size: .95em; overflow-wrap: anywhere }
.method { font-weight: 700; margin-inline-end: .5rem }
table { border-collapse: collapse; inline-size: 100% }
th, td { text-align: start; vertical-align: top; padding: .3rem .8rem .3rem 0 }
th { font-weight: 600; inline-size: 12rem }
"""

JsonMap = dict[str, Any]


def documentation_routes(app: FastAPI) -> APIRouter:
    """The page, and its style."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    def get_docs() -> HTMLResponse:
        return HTMLResponse(page(app.openapi()), headers=dict(HEADERS))

    @router.get(STYLE_PATH)
    def get_style() -> HTMLResponse:
        return HTMLResponse(_STYLE, media_type="text/css", headers=dict(HEADERS))

    return router


def page(description: JsonMap) -> str:
    """An OpenAPI description as HTML."""
    info = description["info"]
    operations = [
        _operation(method, path, item[method])
        for path, item in description["paths"].items()
        for method in _METHODS
        if method in item
    ]
    schemas = description.get("components", {}).get("schemas", {})
    shapes = [_schema(name, schema) for name, schema in schemas.items()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(info["title"])}: the API</title><link rel="stylesheet" href="{STYLE_PATH}">'
        f"</head><body><header><h1>{escape(info['title'])}</h1>"
        f'<p class="quiet">Version {escape(info["version"])}. {escape(info.get("description", ""))} '
        '<a href="/openapi.json">The same for machines</a></p></header>'
        f"<main>{''.join(operations)}<h2>Shapes</h2>{''.join(shapes)}</main></body></html>"
    )


def _operation(method: str, path: str, operation: JsonMap) -> str:
    rows = [
        (parameter["name"], _in_words(parameter.get("schema", {}), parameter.get("description", "")))
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {})
    rows += [("body", f"{media} {_in_words(content.get('schema', {}))}") for media, content in body.items()]
    for status, response in operation.get("responses", {}).items():
        media = ", ".join(
            f"{kind} {_in_words(content.get('schema', {}))}"
            for kind, content in response.get("content", {}).items()
        )
        rows.append((status, f"{response.get('description', '')}. {media}".strip()))
    return (
        f'<article><h2><span class="method">{method.upper()}</span><code>{escape(path)}</code></h2>'
        f"<p>{escape(operation.get('summary', ''))}</p>{_table(rows)}</article>"
    )


def _schema(name: str, schema: JsonMap) -> str:
    rows = [
        (field, _in_words(described, described.get("description", "")))
        for field, described in schema.get("properties", {}).items()
    ]
    told = escape(schema.get("description", ""))
    heading = f'<h3 id="{escape(name)}"><code>{escape(name)}</code></h3>'
    return f"<article>{heading}<p>{told}</p>{_table(rows)}</article>"


def _in_words(schema: JsonMap, description: str = "") -> str:
    if "$ref" in schema:
        kind = str(schema["$ref"]).rpartition("/")[2]
    elif "anyOf" in schema:
        choices = cast("list[JsonMap]", schema["anyOf"])
        kind = " or ".join(_in_words(choice) for choice in choices)
    else:
        kind = str(schema.get("type", ""))
    return f"{kind}. {description}" if description else kind


def _table(rows: list[tuple[str, str]]) -> str:
    cells = "".join(
        f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{escape(told)}</td></tr>'
        for name, told in rows
    )
    return f"<table>{cells}</table>" if cells else ""
