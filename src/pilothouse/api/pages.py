"""The documentation page: an OpenAPI document in, one HTML page out, with nothing from elsewhere and no script."""

import json
from html import escape
from typing import Any

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b2733;background:#fff}
h1{margin-bottom:0}h2{margin-top:2.5rem;border-bottom:1px solid #d5dde5}code,pre{font:13px/1.45 ui-monospace,monospace}
details{border:1px solid #d5dde5;border-radius:6px;margin:.4rem 0;padding:.4rem .8rem}summary{cursor:pointer}
.m{display:inline-block;min-width:4.2rem;font-weight:600}pre{background:#f4f7fa;padding:.7rem;overflow:auto}
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}.q{color:#5a6b7b}
@media(prefers-color-scheme:dark){body{color:#dbe4ec;background:#12181e}pre{background:#1b242d}details,h2{border-color:#33424f}}
"""


def docs_page(document: dict[str, Any]) -> str:
    """Return the page."""
    info = document["info"]
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = (operation.get("tags") or ["other"])[0]
            groups.setdefault(tag, []).append(_operation(document, method, path, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(parts)}" for tag, parts in groups.items())
    about = "".join(f"<p>{escape(part)}</p>" for part in info.get("description", "").split("\n\n") if part)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(info["title"])} API</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>{about}"
        f'<p>The same as a document for machines: <a href="/openapi.json">openapi.json</a></p>{sections}</html>'
    )


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"<p>{escape(operation.get('description', ''))}</p>"]
    rows = "".join(_parameter(each) for each in operation.get("parameters", ()))
    if rows:
        parts.append(f"<table>{rows}</table>")
    asked = _examples(document, operation.get("requestBody", {}).get("content", {}))
    parts += [f"<p class=q>asks, for example</p><pre>{each}</pre>" for each in asked]
    for status, response in operation.get("responses", {}).items():
        parts.append(f"<p><b>{escape(status)}</b> {escape(response.get('description', ''))}</p>")
        if status.startswith("2"):
            parts += [f"<pre>{each}</pre>" for each in _examples(document, response.get("content", {}))]
    summary = escape(operation.get("summary", ""))
    lock = " <span class=q>token</span>" if operation.get("security") else ""
    head = f"<span class=m>{escape(method.upper())}</span><code>{escape(path)}</code> <span class=q>{summary}</span>"
    return f"<details><summary>{head}{lock}</summary>{''.join(parts)}</details>"


def _parameter(parameter: dict[str, Any]) -> str:
    name, place, about = (escape(parameter.get(key, "")) for key in ("name", "in", "description"))
    return f"<tr><td><code>{name}</code><td class=q>{place}<td>{about}"


def _examples(document: dict[str, Any], content: dict[str, Any]) -> list[str]:
    """Return the examples of each kind of body, or one made of the examples of its schema."""
    found = []
    for media in content.values():
        values = [each.get("value") for each in media.get("examples", {}).values()]
        if "example" in media:
            values.append(media["example"])
        if not values and "schema" in media:
            values.append(_sample(document, media["schema"], 0))
        found += [
            value if isinstance(value, str) else json.dumps(value, indent=2) for value in values if value is not None
        ]
    return [escape(each) for each in found]


def _sample(document: dict[str, Any], schema: dict[str, Any], depth: int) -> Any:
    """Return an instance of `schema` made of the examples in it."""
    if "$ref" in schema:
        schema = document["components"]["schemas"].get(schema["$ref"].rsplit("/", 1)[-1], {})
    for key in ("example", "const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    if schema.get("examples"):
        return schema["examples"][0]
    if schema.get("enum"):
        return schema["enum"][0]
    if depth > 6:
        return None
    for either in ("anyOf", "oneOf", "allOf"):
        if schema.get(either):
            return _sample(document, schema[either][0], depth)
    if schema.get("type") == "array":
        return [_sample(document, schema.get("items", {}), depth + 1)]
    if "properties" in schema:
        return {name: _sample(document, each, depth + 1) for name, each in schema["properties"].items()}
    return {"string": "text", "integer": 1, "boolean": True, "number": 1}.get(schema.get("type", ""))
