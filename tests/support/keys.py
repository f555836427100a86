"""Keys that S3 allows and that often break programs."""

from hypothesis import strategies as st

# The longest key, in bytes of UTF-8: ASCII, two bytes a character, and four bytes a character.
LONGEST = ["x" * 1024, "é" * 512, "🪣" * 256]

HAND_PICKED = [
    "plain.txt",
    "two words.txt",
    " leading and trailing ",
    "plus+plus.txt",
    "a%2Bb+c é.txt",
    "%2F",
    "%2Fslash%2f.txt",
    "100%.txt",
    "%%25%2525",
    "%E9-not-utf-8",
    "a+b%20c d.txt",
    "quotes\"'`.txt",
    "back\\slash.txt",
    "new\nline.txt",
    "carriage\rreturn.txt",
    "tab\there.txt",
    "control\x01\x02\x1f\x7f.txt",
    "c1\x80\x9f.txt",
    "line\u2028separator.txt",
    "עברית/قائمة.txt",
    "right\u202eto\u202dleft.txt",
    "日本語/ファイル.txt",
    "Ελληνικά/αρχείο.txt",
    "composed-é.txt",
    "decomposed-e\u0301.txt",
    "emoji-🪣👩‍🚒.txt",
    "zero\u200bwidth\ufeff.txt",
    "//double//slash//.txt",
    "/leading.txt",
    "trailing/",
    "/",
    "dots/../and/./more.txt",
    "..",
    ".",
    ".hidden",
    "?query=1&x=2#fragment",
    "a&b=c;d:e@f$g,h!i*j(k).txt",
    "<xml>&amp;</xml>.txt",
    "{json: [1]}",
    "semi;colon|pipe^caret~tilde",
    "s3://bucket/key?versionId=1",
    "*.txt",
    "~/.profile",
    "con.txt",
    "$(reboot).txt",
    "'; DROP TABLE objects; --",
    "-rf",
    *LONGEST,
]

# XML 1.0, the format of S3's listings, cannot contain surrogates.
SURROGATES = ("Cs",)


def keys():
    """Return a strategy for legal keys of every alphabet: 1 to 1,024 bytes of UTF-8."""
    text = st.text(st.characters(exclude_categories=SURROGATES, exclude_characters="\x00"), min_size=1, max_size=300)
    return text.filter(lambda key: len(key.encode()) <= 1024)
