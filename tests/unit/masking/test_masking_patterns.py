"""A pattern is turned into a bounded expression that runs in linear time, or refused with a reason."""

import re
from collections.abc import Iterable

import hyperscan
import pytest

from ostiary.masking.patterns import LONGEST_BYTES, Pattern, PatternError, compile_pattern
from ostiary.masking.programs import Program

WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")
BUT_NEWLINE = frozenset(range(256)) - {0x0A}


def whole(pattern: Pattern, text: str | bytes) -> bool:
    """Whether the piece matches all of the text."""
    return Program([], [pattern.piece.full]).begins(text.encode() if isinstance(text, str) else text, 0)


def can_begin(pattern: Pattern, text: bytes) -> bool:
    return Program([], [pattern.piece.beginnings]).begins(text, 0)


def hyperscan_finds(gate: bytes, text: bytes) -> bool:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(expressions=[gate], ids=[0], elements=1, flags=hyperscan.HS_FLAG_DOTALL)
    found: list[int] = []
    database.scan(text, match_event_handler=lambda _, start, end, flags, context: found.append(end))
    return bool(found)


def is_accepted(gate: bytes) -> bool:
    try:
        hyperscan_finds(gate, b"")
    except hyperscan.error:
        return False
    return True


def reason(text: str, **options: str | bool) -> str:
    with pytest.raises(PatternError) as caught:
        compile_pattern(text, **options)  # type: ignore[arg-type]
    assert str(caught.value) == caught.value.reason
    return caught.value.reason


@pytest.mark.parametrize(
    ("text", "matching", "others"),
    [
        ("gh[pousr]_[A-Z]{3,5}", ["ghp_ABC", "ghs_ABCDE"], ["ghx_ABC", "ghp_AB", "ghp_ABCDEF", "GHP_ABC"]),
        (r"\d\s\w\.", ["1 a.", "9\t_."], ["٣ a.", "1 é.", "1\u00a0a.", "1 ax"]),
        (r"\s", [" ", "\t", "\n", "\x0b", "\x0c", "\r"], ["\x1c", "\u2003", "\x85"]),
        (r"\D\S\W", ["aa-", "éé‹", "👍👍👍"], ["1a-", "a -", "aaa", "a\n-"]),
        ("a.c", ["abc", "aéc", "a‹c", "a👍c", "a\x00c"], ["a\nc", "ac", "aéec"]),
        ("(?s)a.c", ["a\nc", "aéc"], ["ac"]),
        ("a(?s:.)b.c", ["a\nbxc"], ["axb\nc"]),
        ("[^a]", ["b", "é", "\u07ff", "\uffff", "👍", "\U0010ffff", "\n"], ["a", "bb", ""]),
        ("[\u0800-\u0905]", ["\u08bf", "\u0886", "\u0905"], ["\u0906", "\u093f"]),
        ("[^aé]", ["b", "è", "👍", "‹", "\uffff", "\U00010000", "\U0010ffff"], ["a", "é"]),
        ("[à-ü]x", ["àx", "éx", "üx"], ["ýx", "ßßx", "x"]),
        ("[\u07fe-\u0801]", ["\u07fe", "\u07ff", "\u0800", "\u0801"], ["\u07fd", "\u0802"]),
        ("[\uffff-\U00010001]", ["\uffff", "\U00010000", "\U00010001"], ["\ufffe", "\U00010002"]),
        ("[\U0003ffff-\U00040000]", ["\U0003ffff", "\U00040000"], ["\U0003fffe", "\U00040001"]),
        ("[^\\x00-`b-\U0010ffff]", ["a"], ["`", "b"]),
        (r"[\W_é]", ["_", "é", "-", "‹"], ["a", "5"]),
        ("Müller|José", ["Müller", "José"], ["Muller", "Jose"]),
        ("a(?:|b|c)d", ["ad", "abd", "acd"], ["abcd"]),
        ("(?:ab?){2,3}", ["aa", "aba", "abab", "ababab"], ["a", "aaaa", "b"]),
        ("a??b+?c*?d", ["bd", "abbccd"], ["ad", "aabd"]),
        ("(?x) a \\  b # why", ["a b"], ["ab"]),
        ("a(?i:b)c", ["abc", "aBc"], ["Abc", "abC"]),
        ("(?i)a(?-i:b)c", ["Abc", "abC"], ["aBc"]),
        ("x{0}ab{1}", ["ab"], ["xab"]),
        ("(?:)+a(?:){5}", ["a"], [""]),
        ("x{1200,1300}y", ["x" * 1200 + "y", "x" * 1300 + "y"], ["x" * 1199 + "y", "x" * 1301 + "y"]),
        ("(?:a{40}b){40}", [("a" * 40 + "b") * 40], [("a" * 40 + "b") * 39, ("a" * 40 + "b") * 41]),
        ("(?:(?:a{9}b){9}c){15}", [("aaaaaaaaab" * 9 + "c") * 15], [("aaaaaaaaab" * 9 + "c") * 14]),
        ("(?:a{600}b){2,3}", [("a" * 600 + "b") * 2, ("a" * 600 + "b") * 3], ["a" * 600 + "b"]),
        ("[[a]x", ["[x", "ax"], ["x"]),
    ],
)
def test_what_a_piece_matches(text: str, matching: list[str], others: list[str]) -> None:
    pattern = compile_pattern(text)
    assert [each for each in matching if not whole(pattern, each)] == []
    assert [each for each in others if whole(pattern, each)] == []
    for each in (each.encode() for each in matching):
        assert len(each) <= pattern.piece.longest
        step = max(1, len(each) // 50)
        assert all(can_begin(pattern, each[:length]) for length in [*range(1, len(each), step), len(each)])
    assert not can_begin(pattern, b"")


def test_letters_of_the_other_case_are_found_beyond_ascii_too() -> None:
    pattern = compile_pattern("straße [k-ü] É", ignore_case=True)
    assert pattern.ignore_case
    assert whole(pattern, "STRAßE K é")
    assert whole(pattern, "straße Ü É")
    assert not whole(pattern, "straße \u212a é")  # the Kelvin sign is not the letter K
    assert not whole(compile_pattern("é"), "É")
    assert not whole(compile_pattern("ı", ignore_case=True), "I")


def test_ignoring_case_in_the_text_is_the_same_as_the_option() -> None:
    inline, option = compile_pattern("(?i)key-[a-f]{4}"), compile_pattern("key-[a-f]{4}", ignore_case=True)
    assert inline.ignore_case
    assert inline.piece.full == option.piece.full
    assert inline.prefixes == option.prefixes == (b"key-",)
    assert whole(inline, "KeY-aBcD")
    assert compile_pattern("(?i)a", left="[x]").left_forbidden == frozenset(b"xX")


def test_a_negated_class_ignores_case_on_what_it_excludes() -> None:
    pattern = compile_pattern("[^a]", ignore_case=True)
    assert not whole(pattern, "A")
    assert whole(pattern, "b")


@pytest.mark.parametrize(
    ("text", "piece", "tail"),
    [
        ("ab[a-c]+", "aba", b"abc"),
        ("ab[a-c]*", "ab", b"abc"),
        ("ab[a-c]{3,}", "ababc", b"abc"),
        ("ab(?P<value>[a-c]+)", "aba", b"abc"),
        ("ab(x[a-c]+?)", "abxc", b"abc"),
        ("ab(c)+", "abc", b"c"),
        ("a[^b]+", "aé", BUT_NEWLINE - {0x62} | {0x0A}),
        ("a.+$", "aé", BUT_NEWLINE),
        ("abc{2,3}", "abcc", b""),
    ],
)
def test_a_repeat_without_end_at_the_end_becomes_the_tail(text: str, piece: str, tail: Iterable[int]) -> None:
    pattern = compile_pattern(text)
    assert pattern.tail == frozenset(tail)
    assert whole(pattern, piece)
    if tail:
        assert not whole(pattern, piece + "c" * 9)


@pytest.mark.parametrize("text", ["a+b", "(?:x|a+)", "(?:aa*b)?b?a+é+", "x[éa]+"])
def test_other_repeats_without_end_end_after_256(text: str) -> None:
    pattern = compile_pattern(text)
    assert pattern.tail == frozenset()
    assert 256 <= pattern.piece.longest <= 1100


def test_a_repeat_without_end_goes_as_far_as_it_must() -> None:
    pattern = compile_pattern("a{300,}b")
    assert whole(pattern, "a" * 300 + "b")
    assert not whole(pattern, "a" * 301 + "b")


def test_a_given_tail_takes_over_a_repeat_that_is_part_of_it() -> None:
    assert compile_pattern("ab[a-c]+", tail="[a-z]").tail == frozenset(b"abcdefghijklmnopqrstuvwxyz")
    assert compile_pattern("ab[a-c]+", tail="[a-z]").piece.longest == 3
    bounded = compile_pattern("ab[a-c]+", tail="[0-9]")
    assert bounded.tail == frozenset(b"0123456789")
    assert bounded.piece.longest == 2 + 256


@pytest.mark.parametrize(
    ("text", "options", "left", "right"),
    [
        ("abc", {}, b"", b""),
        ("abc", {"left": "", "right": None}, b"", b""),
        ("abc", {"left": "[A-Za-z0-9_]", "right": r"\w"}, WORD, WORD),
        ("abc", {"left": "x", "right": "[^x]"}, b"x", frozenset(range(256)) - {0x78}),
        ("abc", {"right": "."}, b"", BUT_NEWLINE),
        (r"\babc\b", {}, WORD, WORD),
        (r"\babc[0-9]+\b", {}, WORD, WORD),
        (r"\b(?:abc|d?e)", {}, WORD, b""),
        ("^abc$", {}, BUT_NEWLINE, BUT_NEWLINE),
        ("(?m)^abc", {}, BUT_NEWLINE, b""),
        (r"(?<![a-c])abc(?![\d-])", {}, b"abc", b"-0123456789"),
        ("(?<!x)(?<!y)abc(?!z)", {"left": "[0-9]"}, b"xy0123456789", b"z"),
        ("(?i)(?<!x)abc", {}, b"xX", b""),
    ],
)
def test_what_must_not_stand_beside_a_match(
    text: str, options: dict[str, str], left: Iterable[int], right: Iterable[int]
) -> None:
    pattern = compile_pattern(text, **options)  # type: ignore[arg-type]
    assert pattern.left_forbidden == frozenset(left)
    assert pattern.right_forbidden == frozenset(right)


REFUSALS = {
    r"(a)\1": ("back-reference", "write the repeated part out"),
    r"(?P<a>x)(?P=a)": ("back-reference", "write the repeated part out"),
    r"(a)?(?(1)b|c)": ("condition on a group", "write both cases out"),
    "(?=a)b": ("Look-ahead", "mark the part to be masked"),
    "a(?!b)c": ("Look-ahead", "mark the part to be masked"),
    "a(?<!b)": ("look-behind", "mark the part to be masked"),
    "(?!b)a": ("Look-ahead", "mark the part to be masked"),
    "(?<!ab)c": ("one class", "mark the part to be masked"),
    "(?<=a)b": ("look-behind", "mark the part to be masked"),
    "a(?!)b": ("never matches|Look-ahead", ""),
    "a++b": ("Possessive", "write the plain form"),
    "(?>a|ab)c": ("atomic", "write the plain form"),
    "a^b": ("very start", "put it there"),
    "(?:^|x)b": ("very start", "put it there"),
    "a(?:;|$)": ("very end", "put it there"),
    r"x\by": ("very start or end", "write"),
    r"a\B": (r"\\B is not supported", "name the characters"),
    r"\Aa": ("whole text", r"use \^ and \$"),
    r"a\Z": ("whole text", r"use \^ and \$"),
    r"\b-a": ("needs a pattern that has only ASCII letters", "leave it out"),
    r"a.\b": ("needs a pattern that has only ASCII letters", "leave it out"),
    r"\bé": ("needs a pattern that has only ASCII letters", "leave it out"),
    r"ab?-?\b": ("needs a pattern that has only ASCII letters", "leave it out"),
    r"a[a-]*\b": ("needs a pattern that has only ASCII letters", "leave it out"),
    "a(?![éè])": ("not all of them", "name ASCII characters only"),
    r"a[a-]+\b": ("needs a pattern that has only ASCII letters", "leave it out"),
    "": ("nothing at all", "required"),
    "a*": ("nothing at all", r"\+ in place of \*"),
    "(?:a?|b)": ("nothing at all", "required"),
    "^$": ("nothing at all", "required"),
    r"[^\s\S]": ("has none in it", "correct or remove"),
    "a[^\\x00-\U0010ffff]": ("has none in it", "correct or remove"),
    "(?P<a>x)(?P<b>y)": ("Only one group", "leave the names of the others out"),
    "(?:(?P<a>x)y)+": ("may not be repeated", "inside the group"),
    "(?P<a>x)?y": ("may not be repeated or optional", "inside the group"),
    "(?P<a>x*)y": ("can match nothing", "required"),
    "((": ("not a regular expression: .*character", "correct it"),
    "a**": ("not a regular expression: multiple repeat", "correct it"),
    "(?<!é)a": ("not all of them", "name ASCII characters only"),
    "x{99999999999}": ("too large", "2,048"),
    "x{2049}": ("2,049 bytes long, more than 2,048", "smaller ends"),
    "é{1025}": ("2,050 bytes long", "up to 4 bytes"),
    "x{2000}y{49}": ("2,049 bytes long", "smaller ends"),
    "(" * 300 + "a" + ")" * 300: ("nested too deeply", "fewer brackets"),
    "x" * 8193: ("more than 8,192 characters", "split it"),
    "(?:" + "|".join(f"{word:05}[^é“”]{{99}}" for word in range(9)) + ")": ("places", "split it"),
}


@pytest.mark.parametrize("text", REFUSALS, ids=lambda text: text[:20])
def test_what_cannot_be_used_is_refused_with_a_reason_and_what_to_write_instead(text: str) -> None:
    why, instead = REFUSALS[text]
    said = reason(text)
    assert re.search(why, said)
    assert re.search(instead, said)
    assert said.endswith(".")
    assert ". " not in said.replace("(?<!", "").replace("…", "")


@pytest.mark.parametrize("name", ["left", "right", "tail"])
@pytest.mark.parametrize(
    ("text", "why"),
    [("ab", "one class"), ("a+", "one class"), ("[é]", "not all of them"), ("[", "not a regular expression")],
)
def test_a_class_that_is_none_is_refused_by_its_name(name: str, text: str, why: str) -> None:
    said = reason("abc", **{name: text})
    assert why in said
    assert name in said or text == "["


SLOW_ELSEWHERE_REFUSED = [
    "(a+)+$", "(a*)*b", "(a|aa+)+$", "(.*a){20}", "^(([a-z])+.)+[A-Z]([a-z])+$", "(x{1000}){1000}", "(x+x+)+y",
    "((x{30}){30}){30}", r"(\w+\s?)*$", "((((a{9}){9}){9}){9}){9}", "(([^x]{0,9}){0,9}){0,9}y", "a.*b.*c.*d",
    r"^([a-zA-Z0-9])(([\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
]  # fmt: skip
SLOW_ELSEWHERE_LINEAR = [
    "(a|a)*b", "(a|aa)+$", "((a?){30}a{30})", "(a{0,40}){0,40}c", "(?:a?){500}a{500}", "x*x*x*y", "(a|b|ab)*c",
    "(?:.{0,100}a){5}", "a.{0,250}b.{0,250}c", "(?:" * 60 + "a" + ")?b" * 60, "((a?)*)?b",
]  # fmt: skip


@pytest.mark.parametrize("text", SLOW_ELSEWHERE_REFUSED, ids=lambda text: text[:30])
def test_patterns_that_make_other_engines_slow_are_refused_when_their_matches_are_long(text: str) -> None:
    assert re.search(r"could be [\d,]+ bytes long, more than 2,048; give the repeats smaller ends", reason(text))


@pytest.mark.parametrize("text", SLOW_ELSEWHERE_LINEAR, ids=lambda text: text[:30])
def test_patterns_that_make_other_engines_slow_run_to_their_end(text: str) -> None:
    pattern = compile_pattern(text)
    assert pattern.piece.longest <= LONGEST_BYTES
    wanted = Program([pattern.piece.full], [pattern.piece.beginnings])
    for data in (b"a" * 5000 + b"!", b"ab" * 2500, b"x" * 5000, b"a1-" * 1500, "é".encode() * 2000):
        start, end = wanted.find(data, 0)
        assert (start < 0) or (0 < end - start <= pattern.piece.longest)


@pytest.mark.parametrize(
    ("text", "ignore_case", "prefixes"),
    [
        ("gh[pousr]_[A-Za-z0-9]{36}", False, "gho_ ghp_ ghr_ ghs_ ghu_"),
        ("sk-(?:live|test)_[0-9]+", False, "sk-live_ sk-test_"),
        ("AKIA[A-Z0-9]{16}", False, "AKIA"),
        ("github_pat_[a-z]{9}", False, "github_pat_a"[:-1]),
        ("a-very-long-beginning", False, "a-very-long-"),
        ("Password|passwd", True, "passwd password"),
        ("(?i:ab)c", False, "ABc Abc aBc abc"),
        ("(?:abc|abcd|xyz)q?", False, "abc xyz"),
        ('"?key=', False, '"key= key='),
        ("(?:ab){2,}c", False, "abab"),
        ("é[ab]", False, "éa éb"),
        ("x{3}[a-z]+", False, "xxx"),
        ("(?P<value>key)-x", False, "key-x"),
        ("ab[a-z0-9]{9}", False, " ".join(f"ab{last}" for last in "0123456789abcdefghijklmnopqrstuvwxyz")),
        ("ab", False, "ab"),
        ("a[b]?c+", False, ""),
        ("ab", True, ""),
        ("ab|cd", False, ""),
        ("(?:a|b)?c", False, ""),
        (r"\s*key", False, ""),
        ("[a-z]{3}", False, ""),
        (".{3}", False, ""),
        ("a", False, ""),
    ],
)
def test_the_texts_a_match_begins_with(text: str, ignore_case: bool, prefixes: str) -> None:
    found = compile_pattern(text, ignore_case=ignore_case).prefixes
    assert sorted(found) == sorted(prefix.encode() for prefix in prefixes.split())


def test_many_words_begin_with_few_texts_or_none() -> None:
    many = compile_pattern("|".join(f"{number:03}-word" for number in range(256)))
    assert len(many.prefixes) == 256
    shorter = compile_pattern("|".join(f"{number // 50:03}-{number}" for number in range(600)))
    assert 0 < len(shorter.prefixes) <= 256
    assert min(map(len, shorter.prefixes)) >= 3
    assert compile_pattern("|".join(f"{number:03}-word" for number in range(257))).prefixes == ()


LARGE = [
    "k[a-z]{20,200}", "[^x]{1,500}x", ".{0,500}x", "(?:.{0,250}x){2}", "é{900}", "x{2048}", "(?:a{40}b){40}",
    "eyJ[A-Za-z0-9_-]{10,500}\\.eyJ[A-Za-z0-9_-]{10,800}\\.[A-Za-z0-9_-]+", "[^é“”]{1,400}y", "(?:[ab]{1,9}c){20,30}d",
    "(?:[a-z]{1,20}[0-9]{1,20}-?){10,40}x", "|".join(f"{number:x}word{number}" for number in range(500)),
    "(?:[a-z]*[0-9]*){3}y", "(?:[a-z]{1,90}x[0-9a-z]{1,90}y){1,11}z",
]  # fmt: skip


@pytest.mark.parametrize("text", LARGE, ids=lambda text: text[:30])
def test_hyperscan_and_re2_accept_the_gate_or_a_shorter_one(text: str) -> None:
    pattern = compile_pattern(text)
    gates = [pattern.gate, *pattern.shorter_gates()]
    assert any(is_accepted(gate) for gate in gates)
    for gate in gates:
        Program([gate])


def test_a_gate_that_hyperscan_refuses_can_be_replaced_by_the_beginning_of_it() -> None:
    pattern = compile_pattern("a(?:aa[^é]){1,256}a")
    shorter = next(pattern.shorter_gates())
    assert not is_accepted(pattern.gate)
    assert hyperscan_finds(shorter, b"-aaaxa-")
    assert not hyperscan_finds(shorter, b"-aa-")


def test_a_shorter_gate_finds_every_match() -> None:
    found = b"-" + b"y" + b"x" * 1100 + b"c" * 9 + b"-"
    gates = list(compile_pattern("yx{1100}(?:c{9}|d)").shorter_gates())
    assert len(gates) == 5
    assert all(hyperscan_finds(gate, found) for gate in gates)
    assert len(list(compile_pattern("abc").shorter_gates())) == 1


def test_the_last_gate_is_one_byte() -> None:
    *_, last = compile_pattern("(?:[ab]?c|é)x{900}").shorter_gates()
    assert last == rb"[\x61-\x63\xc3]"


def test_a_gate_ends_where_a_match_is_sure_of_its_length() -> None:
    assert compile_pattern("ab{2,9}").gate == rb"\x61\x62{2}"
    assert compile_pattern("a[b-d]{2,9}(?:x|y*)").gate == rb"\x61[\x62-\x64]{2}"
    assert compile_pattern("(?:a|bc+|(?:de){2,3})f?").gate == rb"(?:\x61|\x62\x63{1}|(?:\x64\x65){1}\x64\x65)"


def test_a_gate_finds_what_stands_in_a_longer_text() -> None:
    pattern = compile_pattern("x[^“”]{2,9}y$", left="[a-z]")
    for gate in (pattern.gate, *pattern.shorter_gates()):
        assert hyperscan_finds(gate, "aaax‹é‹yaaa".encode())
    assert not hyperscan_finds(pattern.gate, b"aaa x yaaa"[:6])


@pytest.mark.parametrize(
    ("text", "match", "value"),
    [
        ("token", "token", "token"),
        ("(to)(ken)", "token", "token"),
        (r"password=(?P<value>\w{3,9})", "password=hunter2", "hunter2"),
        (r"password=(?P<value>\w{3,})", "password=" + "h" * 5000, "h" * 5000),
        (r'"pw": "(?P<secret>[^"]+)"', '"pw": "päss“"', "päss“"),
        ("(?P<value>[a-z]{1,9}):x+", "abc:xxxx", "abc"),
        ("a=(?P<value>b)|c+", "ccc", "ccc"),
        ("(?:a=(?P<value>b+)|c+)", "a=bbb", "bbb"),
        ("x.*?(?P<value>[0-9]+)y", "xa123y", "123"),
        ("x.*(?P<value>[0-9]+)y", "xa123y", "3"),
        ("(?s)k=(?P<value>.+)$", "k=é\nü", "é\nü"),
        ("k(?P<value>.)", "not a match", "not a match"),
    ],
)
def test_the_named_group_is_what_is_masked(text: str, match: str, value: str) -> None:
    data = match.encode()
    start, end = compile_pattern(text).value_span(data)
    assert data[start:end].decode() == value


def test_the_tail_belongs_to_the_named_group_that_ends_the_pattern_only() -> None:
    inside = compile_pattern("k=(?P<value>[a-c]{2})", tail="[a-z]")
    assert inside.value_span(b"k=abzzz") == (2, 7)
    outside = compile_pattern("k=(?P<value>[a-c]{2});", tail="[a-z]")
    assert outside.value_span(b"k=ab;zz") == (2, 4)
    either = compile_pattern("(?:k=(?P<value>[a-c]{2})|(?P<value2>x))".replace("(?P<value2>x)", "x"), tail="[a-z]")
    assert either.value_span(b"k=abzz") == (2, 6)
    assert either.value_span(b"xzz") == (0, 3)
