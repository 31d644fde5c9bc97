"""How attached files are read to the model: before the user's words, each with its name and in a fence of its own."""

from dataclasses import replace

from sparkdesk.chat.messages import Attachment, Message

_FENCE = "```"


def with_attachments(message: Message) -> Message:
    """The message as the model reads it."""
    if not message.attachments:
        return message
    files = "\n\n".join(fenced(each) for each in message.attachments)
    return replace(message, content=f"{files}\n\n{message.content}", attachments=())


def fenced(attachment: Attachment) -> str:
    """The name, and the text in a fence longer than any within it."""
    fence = _FENCE
    while fence in attachment.text:
        fence += "`"
    return f"{attachment.name}:\n{fence}\n{attachment.text.rstrip()}\n{fence}"
