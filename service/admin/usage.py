"""/admin/usage: what was used and what it cost, in buckets and groups."""

from flask import Blueprint, Response, request

from service.admin.query import output_format
from service.admin.views import export_response, list_response
from service.api.http import services
from service.usage.query import read_usage_query
from service.usage.report import columns, flat, usage_report

blueprint = Blueprint("usage", __name__, url_prefix="/usage")


@blueprint.get("")
def show_usage() -> Response:
    """Sum up usage by hour, day or month, and by key, project, model or endpoint."""
    form, query = output_format(), read_usage_query(request.args)
    report = usage_report(services().stores.client, query)
    if form == "json":
        return list_response(report)
    return export_response(form, map(flat, report), columns(query.group_by))
