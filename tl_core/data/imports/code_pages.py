"""Names in a zip that were written in the code page of the Windows that made it.

A zip says of a name that it is UTF-8, or nothing. Where it says nothing, all of its names are read in the code page
that gives the likeliest text, UTF-8 first, since macOS writes that without saying so.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Final

WESTERN: Final = ("cp850", "cp437", "cp1252")  # of two that are equally likely the first
CYRILLIC: Final = "cp866"
KOREAN: Final = "cp949"
# Code page -> the first bytes of its common characters: level 1 of JIS X 0208, of GB 2312 and of Big5, and the
# syllables of KS X 1001.
_FIRST_BYTES: Final = {
    "cp932": range(0x88, 0x98),
    "gbk": range(0xB0, 0xD8),
    "big5": range(0xA4, 0xC7),
    KOREAN: range(0xB0, 0xC9),
}
# The bytes of Korean are those of Chinese, too. What tells them apart is that a sixth of the 2,350 syllables makes
# up most of a Korean text, and about a sixth of what Chinese becomes when it is read as Korean.
_USUAL_SYLLABLES: Final = frozenset(
    "가각간갈감갑강개객거건걸검게겨격견결경계고곡곤골곰공과관광괴교구국군굴궁권귀규균그극근글금급기긴길김까깨꼬꽃꿀끼나난날남납내냉너"
    "널네녀년노녹논놀농누눈느는늘능니다단달닭담답당대더덕도독돈돌동돼두둑둥뒤드들등디딸땅떡또라락란람랑래랙량러런럭럼레력련렬령로록론롱"
    "료루류륙르른름리린림립링마막만말망매맥머먹면명모목몰못무문물미민밀바박반발밤방배백버번벌범법베벨벽변별병보복본볼봉부북분불붕브"
    "블비빈빌빙빛빨사산살삼상새색생서석선설성세센셔소속손솔송쇠수숙순술숭숲스슬습승시식신실심쌀아악안알암앙앞애액야약양어언얼업없에"
    "여역연열염엽영예오옥온올옷와완왕외요용우운울원월위유육윤율으은음응의이익인일임입잎자작잔잠장재저적전절점접정제조족종좌주죽준줄"
    "중쥐즈증지직진질집차착찬참창채책처천철첫청체초촌총추축춘출충치칠침카칸캐커컵케코콩쿠크클키타탁탄탑태터턴테토톤통투트특티파판팔"
    "패퍼페편평포폭표푸풀품풍퓨프플피필하학한할함합항해핵행향허험현형호혼홍화확환활황회효후훈휴흑흙흰히힘"
)
_USUAL: Final = frozenset("äöüßéèêëàâçñáíóúùûîïôåæøœ")
_FALLBACK: Final = "cp437"  # gives every byte a character of its own, so two names never become one


def read_names(names: Sequence[bytes]) -> list[str]:
    """Decode the names of one zip, all in the same code page; different names stay different."""
    for code_page in ("utf-8", *_by_likelihood(names)):
        try:
            read = [name.decode(code_page) for name in names]
        except UnicodeDecodeError:
            continue
        if len(set(read)) == len(set(names)):
            return read
    return [name.decode(_FALLBACK) for name in names]


def _by_likelihood(names: Sequence[bytes]) -> list[str]:
    told = {name for name in names if not name.isascii()}
    scores = {code_page: _likelihood(told, code_page) for code_page in (*WESTERN, *_FIRST_BYTES, CYRILLIC)}
    return sorted((page for page, score in scores.items() if score > 0), key=lambda page: -scores[page])


def _likelihood(names: set[bytes], code_page: str) -> float:
    """From 1, all characters are usual ones, down; 0 where the names cannot be in this code page."""
    judged: list[float] = []
    for name in names:
        try:
            text = name.decode(code_page)
        except UnicodeDecodeError:
            return 0.0
        judge = _western if code_page in WESTERN else _cyrillic if code_page == CYRILLIC else _eastern
        judged += [judge(text, place, code_page) for place, mark in enumerate(text) if not mark.isascii()]
    return sum(judged) / max(1, len(judged))


def _western(text: str, place: int, _code_page: str) -> float:
    """A letter with an accent between others of its case; signs and boxes are no part of a name."""
    mark = text[place]
    if not unicodedata.category(mark).startswith("L") or mark in "ªº":
        return -1.0
    before, after = text[place - 1 : place], text[place + 1 : place + 2]
    if not (before.isascii() and before.isalpha()) and not (after.isascii() and after.isalpha()):
        return 0.3
    if (mark.isupper() and before.islower()) or (mark.islower() and after.isupper()):
        return -0.5
    return 1.0 if mark.lower() in _USUAL else 0.7


def _cyrillic(text: str, place: int, _code_page: str) -> float:
    """A Cyrillic letter beside others; in another code page they stand alone, or among Latin ones and boxes."""
    beside = [mark for mark in (text[max(0, place - 1) : place], text[place + 1 : place + 2]) if mark]
    if not _is_cyrillic(text[place]) or any(mark.isascii() and mark.isalpha() for mark in beside):
        return -1.0
    return 1.0 if any(_is_cyrillic(mark) for mark in beside) else 0.2


def _is_cyrillic(mark: str) -> bool:
    return "Ѐ" <= mark <= "ӿ"


def _eastern(text: str, place: int, code_page: str) -> float:
    mark = text[place]
    if "぀" <= mark <= "ヿ" or "、" <= mark <= "】":  # kana and punctuation
        return 1.1 if code_page == "cp932" else 0.3
    written = mark.encode(code_page)
    rare = code_page in ("gbk", KOREAN) and written[-1] < 0xA1  # beyond GB 2312 and KS X 1001
    if code_page == KOREAN and len(written) == 2:
        return -0.5 if rare else 1.3 if mark in _USUAL_SYLLABLES else 0.5
    if len(written) == 2 and written[0] in _FIRST_BYTES[code_page] and not rare:
        return 1.0
    return 0.2 if len(written) == 2 and unicodedata.category(mark) == "Lo" else -0.5  # full width, half width, boxes
