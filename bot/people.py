"""All that is kept of one person, as JSON to be handed to them."""

from collections.abc import Callable

from bot.conversations import Conversation, Held
from bot.wire import Json, Sources, conversation_json


def held_json(whose: str, held: Held, sources: Callable[[str, set[str]], Sources]) -> Json:
    """Return what is kept of somebody.

    Args:
        whose: An owner of conversations such as `key:0123456789ab`, or somebody in a chat tool such
            as `slack:T1:U2`.
        held: What was found.
        sources: Names documents of a collection, given their ids.
    """
    return {
        "whose": whose,
        "sessions": [
            conversation_json(each, sources(each.collection, cited(each)))
            for each in held.conversations
        ],
        "votes": [
            {
                "turn_id": vote.turn_id,
                "vote": vote.vote,
                "comment": vote.comment,
                "given_at": vote.given_at,
            }
            for vote in held.votes
        ],
        "waiting": list(held.waiting),
    }


def cited(conversation: Conversation) -> set[str]:
    """Return the ids of the documents that a conversation quotes."""
    return {
        citation.passage.document_id
        for kept in conversation.turns
        for citation in kept.turn.answer.citations
    }
