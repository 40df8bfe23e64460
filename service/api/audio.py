"""POST /v1/audio/transcriptions, /v1/audio/translations and /v1/audio/speech."""

from flask import Blueprint, Response

from service.api.http import incoming, outgoing, services
from service.api.metering import hold
from service.api.uploads import uploaded
from service.operations.speech import SPEECHES
from service.operations.transcriptions import TRANSCRIPTIONS, TRANSLATIONS

blueprint = Blueprint("audio", __name__)


@blueprint.post(TRANSCRIPTIONS.path)
@hold
def transcribe() -> Response:
    """Transcribe a recording."""
    with uploaded(TRANSCRIPTIONS) as request:
        return outgoing(services().gateway.call(TRANSCRIPTIONS, request))


@blueprint.post(TRANSLATIONS.path)
@hold
def translate() -> Response:
    """Translate a recording into English text."""
    with uploaded(TRANSLATIONS) as request:
        return outgoing(services().gateway.call(TRANSLATIONS, request))


@blueprint.post(SPEECHES.path)
@hold
def speak() -> Response:
    """Speak a text."""
    return outgoing(services().gateway.call(SPEECHES, incoming()))
