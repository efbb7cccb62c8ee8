from ui.components.markdown import plain


def test_plain_text_is_no_markdown():
    assert plain("<b> *a* $x$ :red[b]") == "\\<b\\> \\*a\\* \\$x\\$ \\:red\\[b\\]"
    assert plain("日本語 cat") == "日本語 cat"
