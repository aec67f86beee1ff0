"""What Slack tells, in the shapes that we take it in, and what we make of it."""

from typing import Annotated, Literal

from pydantic import BaseModel, StringConstraints

from bot.channels.jobs import Message, person
from bot.channels.slack_text import question_in
from bot.wire import Json

CHANNEL = "slack"
_WRITTEN = frozenset({None, "file_share", "thread_broadcast"})
"""Subtypes of messages that somebody wrote; the others tell of edits, joins and the like."""

_Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
_Timestamp = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,16}\.[0-9]{1,9}$")]
_Url = Annotated[str, StringConstraints(max_length=1000)]


class Place(BaseModel):
    """Where an answer goes.

    Attributes:
        team: The workspace.
        channel: A channel or direct messages.
        thread: Timestamp of the message that the answer goes below; "" for none.
        since: Timestamp of the question; "" for a command, which is no message.
        response_url: Where the answer to a command goes; "" for a message.
    """

    team: str
    channel: str
    thread: str = ""
    since: str = ""
    response_url: str = ""


class Said(BaseModel):
    """The event of a message."""

    type: Literal["app_mention", "message"]
    channel: _Id
    ts: _Timestamp
    user: _Id | None = None
    text: str = ""
    thread_ts: _Timestamp | None = None
    channel_type: str | None = None
    subtype: str | None = None
    bot_id: str | None = None
    edited: object = None

    def is_question(self) -> bool:
        """Whether a person asks us: by a mention, or in a direct message."""
        to_us = self.type == "app_mention" or self.channel_type == "im"
        by_person = self.user is not None and self.bot_id is None
        return to_us and by_person and self.subtype in _WRITTEN and self.edited is None


class Event(BaseModel):
    """An event with its workspace."""

    team_id: _Id
    event: Said

    def message(self) -> Message:
        """Return the question: the same for a mention and the message that it stands in."""
        said, where = self.event, f"{self.team_id}:{self.event.channel}"
        thread = said.thread_ts or ("" if said.channel_type == "im" else said.ts)
        place = Place(team=self.team_id, channel=said.channel, thread=thread, since=said.ts)
        return Message(
            CHANNEL,
            f"{where}:{said.ts}",
            f"{where}:{thread}" if thread else where,
            question_in(said.text),
            place.model_dump(),
            person(CHANNEL, self.team_id, said.user or ""),
        )


class Command(BaseModel):
    """A slash command."""

    team_id: _Id
    channel_id: _Id
    user_id: _Id
    trigger_id: _Id
    response_url: _Url
    text: str = ""

    def message(self) -> Message:
        """Return the question; somebody's commands in a channel are one conversation."""
        where = f"{self.team_id}:{self.channel_id}"
        place = Place(team=self.team_id, channel=self.channel_id, response_url=self.response_url)
        return Message(
            CHANNEL,
            f"{where}:command:{self.trigger_id}",
            f"{where}:command:{self.user_id}",
            question_in(self.text),
            place.model_dump(),
            person(CHANNEL, self.team_id, self.user_id),
        )


class Named(BaseModel):
    """Something of which only the id matters."""

    id: _Id


class Button(BaseModel):
    """A thumb; its value is the workspace and the turn that it was shown for."""

    action_id: Literal["fb_up", "fb_down"]
    value: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,80}:[A-Za-z0-9_-]{1,100}$")]


class Shown(BaseModel):
    """Our message, as Slack gives it back."""

    ts: _Timestamp
    text: str = ""
    blocks: list[Json]


class Click(BaseModel):
    """A click on a button."""

    team: Named
    user: Named
    channel: Named
    actions: tuple[Button]
    response_url: _Url = ""
    message: Shown | None = None
    """None where only one person sees it: the answer to a command."""
