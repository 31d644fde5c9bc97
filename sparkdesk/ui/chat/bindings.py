"""The keys of the chat screen that hold wherever the focus is. Those of a part are that part's."""

from textual.binding import Binding

BINDINGS = (
    # Other conversations, and the next message
    Binding("f9", "conversations", "Chats", id="chat.conversations", tooltip="Show or leave the conversations kept"),
    Binding("ctrl+o", "attach", "Attach", id="chat.attach", show=False, tooltip="Attach a text file to the message"),
    Binding(
        "alt+e",
        "open_editor",
        "Editor",
        id="chat.editor",
        show=False,
        tooltip="Write the message in your own editor ($VISUAL or $EDITOR)",
    ),
    # Settings of replies
    Binding(
        "ctrl+s,f4",
        "toggle_speculation",
        "Speculation",
        id="chat.speculation",
        tooltip="Switch speculation, also in mid-reply",
    ),
    # With priority: the prompt, being a text area, would select a line on F6.
    Binding(
        "f5",
        "change_draft(-1)",
        "Shorter draft",
        id="chat.shorter_draft",
        show=False,
        priority=True,
        tooltip="Draft one token fewer",
    ),
    Binding(
        "f6",
        "change_draft(1)",
        "Longer draft",
        id="chat.longer_draft",
        show=False,
        priority=True,
        tooltip="Draft one token more",
    ),
    Binding(
        "ctrl+t",
        "toggle_thinking",
        "Thinking",
        id="chat.thinking",
        show=False,
        tooltip="Let the model think before it answers, or not",
    ),
    Binding(
        "f10",
        "conversation_settings",
        "Settings of this conversation",
        id="chat.conversation_settings",
        show=False,
        tooltip="System prompt, sampling and thinking of this conversation",
    ),
    # Messages
    Binding(
        "alt+up",
        "select_message(-1)",
        "Messages",
        tooltip="Select the message above: keys for it are shown below",
        id="chat.select_above",
    ),
    Binding(
        "alt+down",
        "select_message(1)",
        "Select below",
        show=False,
        tooltip="Select the message below",
        id="chat.select_below",
    ),
    Binding(
        "alt+end",
        "go_to_newest",
        "Newest",
        show=False,
        tooltip="Go to the end of the conversation",
        id="chat.newest",
    ),
    Binding(
        "ctrl+g",
        "toggle_origins",
        "Token sources",
        tooltip="Show where tokens came from: of the selected reply, or of all",
        id="chat.origins",
    ),
    # The conversation as a whole
    Binding(
        "ctrl+c",
        "interrupt",
        "Stop or clear",
        id="chat.interrupt",
        show=False,
        priority=True,  # or the prompt would copy what is not selected
        tooltip="Stop the reply; else clear what is written; else say how to quit",
    ),
    Binding("escape", "stop", "Stop", id="chat.stop", tooltip="Stop the reply, or cancel loading"),
    Binding("ctrl+n", "new_conversation", "New", id="chat.new", tooltip="Start a new conversation"),
    Binding(
        "ctrl+r",
        "reload",
        "Reload",
        id="chat.reload",
        show=False,
        tooltip="Load the model again; the conversation stays",
    ),
    Binding(
        "alt+t",
        "toggle_thoughts",
        "Thoughts",
        id="chat.thoughts",
        show=False,
        tooltip="Unfold or fold all that the model thought",
    ),
    Binding("f3", "toggle_live", "Live", id="chat.live", tooltip="Show or hide the live figures"),
    Binding(
        "ctrl+y",
        "copy_reply",
        "Copy reply",
        id="chat.copy_reply",
        show=False,
        priority=True,  # or the prompt would redo
        tooltip="Copy the last reply to the clipboard",
    ),
)
"""The most useful first: the line of keys has room for some."""
