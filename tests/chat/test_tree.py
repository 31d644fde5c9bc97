"""Messages and their versions: what is shown after edits, new replies, switching and removing."""

from sparkdesk.chat.messages import Branch, Message
from sparkdesk.chat.tree import MessageTree


def grown(*texts: str) -> MessageTree:
    tree = MessageTree()
    for index, text in enumerate(texts):
        tree.add(Message("assistant" if index % 2 else "user", text), tree.last)
    return tree


def words(tree: MessageTree) -> list[str]:
    return [message.content for message in tree.messages]


def test_an_edited_message_hides_what_followed_and_switching_brings_it_back() -> None:
    tree = grown("a", "b", "c", "d")
    edited = tree.add(Message("user", "C"), tree.parent(tree.shown[2]))
    tree.add(Message("assistant", "D"), edited)
    assert words(tree) == ["a", "b", "C", "D"] and tree.branch(2) == Branch(2, 2)
    tree.switch(2, -1)
    assert words(tree) == ["a", "b", "c", "d"] and tree.branch(2) == Branch(1, 2)
    tree.switch(2, -1)
    assert words(tree) == ["a", "b", "c", "d"], "there is nothing before the first"


def test_the_first_message_can_have_versions_too() -> None:
    tree = grown("a", "b")
    tree.add(Message("user", "A"), None)
    assert words(tree) == ["A"] and tree.branch(0) == Branch(2, 2)
    tree.switch(0, -1)
    assert words(tree) == ["a", "b"]


def test_switching_shows_what_followed_last() -> None:
    tree = grown("a", "b")
    first_reply = tree.shown[1]
    tree.add(Message("assistant", "B"), tree.parent(first_reply))
    tree.add(Message("user", "c"), tree.last)
    tree.add(Message("user", "A"), None)
    tree.switch(0, -1)
    assert words(tree) == ["a", "B", "c"]


def test_a_removed_version_gives_way_to_the_one_before() -> None:
    tree = grown("a", "b")
    tree.add(Message("assistant", "B"), tree.parent(tree.shown[1]))
    tree.remove(tree.shown[1])
    assert words(tree) == ["a", "b"] and tree.branch(1) == Branch(1, 1)


def test_a_tree_read_again_shows_the_same() -> None:
    tree = grown("a", "b", "c")
    tree.add(Message("assistant", "B"), tree.parent(tree.shown[1]))
    again = MessageTree()
    for number, node in tree.nodes():
        again.put(number, node.message, node.parent)
    assert not again.shown, "what is shown is said apart"
    last = tree.last
    assert last is not None
    again.show(last)
    assert words(again) == words(tree) and again.line_to(last) == tree.messages
