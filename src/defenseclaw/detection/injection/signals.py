"""What speaks for an instruction to the agent: named signals, what each weighs, and how it is recognised.

A signal is a *claim* (takes the agent's instructions or limits away, asks for its prompt), a *deed* (asks for
something to be done), or *framing* (who is addressed, that it must be hidden, that it is urgent …). Framing
alone never makes a finding.

Weights are hundredths; what they add up to is compared in :mod:`defenseclaw.detection.injection.scoring`.
They differ by channel: data (results, files, tool descriptions) has no business giving orders, while in
talk (prompts, completions) orders are the normal case.
"""

# ruff: noqa: RUF001 - quotation marks and letters of other scripts are what is looked for
from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from defenseclaw.detection.injection import languages
from defenseclaw.detection.injection.lexicon import (
    DISCARD,
    EARLIER,
    GIVEN,
    INFLUENCE,
    INSTRUCTION,
    KEPT_PLACE,
    LEAD,
    MODEL,
    OPENING,
    OPERATE,
    OWN_THING,
    PLACE,
    PRIOR,
    PRIVATE,
    PRIVILEGED,
    REST,
    SAFEGUARD,
    SEND,
    UNBOUND,
    UNBOUND_WORD,
    UNDO,
    USER,
    WEAK_INSTRUCTION,
    WORDS,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that speaks for an instruction."""

    reason: str
    """Name in the closed vocabulary of reasons."""
    patterns: tuple[str, ...]
    data: int
    """Weight in results, files and descriptions, in hundredths."""
    talk: int
    """Weight in prompts and completions, in hundredths."""
    claim: bool = False
    deed: bool = False


_STRONG_OBJECT: Final = (
    rf"(?:{PRIOR}\s+{WORDS}{INSTRUCTION}|{INSTRUCTION}\s+{WORDS}{GIVEN}"
    rf"|(?:your|ur)\s+(?:[\w-]+\s+){{0,3}}?(?:{INSTRUCTION}|rules|orders|training|constraints"
    r"|limitations|restrictions|directions"
    rf"|commands|polic(?:y|ies)|task\b|role\b)"
    rf"|{EARLIER}\s+(?:[\w-]+\s+){{0,2}}?(?:rules|commands|orders|directions|tasks?|assignments?)\b"
    rf"|(?:all|any|every|each)\s+(?:of\s+)?(?:the\s+|these\s+|those\s+)?(?:{INSTRUCTION})"
    rf"(?:\s+(?:and|or)\s+\w+)?(?:\s*$|\s*[.!;,]|\s+and\b|\s+[-–—]\s)"
    rf"|(?:rules?|commands?|orders?|directions|tasks?|assignments?|guidelines?)\s+{WORDS}{GIVEN}"
    r"|(?:everything|anything|all|whatever|what|all of what)\s+(?:that\s+)?(?:(?:was|were|has been"
    rf"|have been|is)\s+)?{GIVEN}"
    r"|(?:what|whatever|everything|anything|all)\s+(?:that\s+)?(?:the|your|my|those|any)\s+(?:\w+\s+){1,2}?"
    r"(?:have\s+|has\s+|had\s+)?(?:told|taught|instructed|ordered|asked|said\s+to)\s+you\b)"
)
_UNDO_LEAD: Final = rf"{LEAD}{UNDO}\s+(?:about\s+|of\s+)?"

_NO_LIMITS: Final = r"(?:rules|restrictions|limits|limitations|filters|guidelines|boundaries|safeguards)\b"
_LIMITS_GONE: Final = (
    r"\b(?:(?:safety|your) (?:\w+ )?(?:filter|restriction|polic|limit|rule|guideline|measure|protocol|check"
    r"|guard)\w*|(?:(?:ignor\w+|bypass\w*) (?:\w+ )?|without |no |disabl\w+ |lift\w* )"
    r"(?:\w+ )?(?:filters?|restrictions?|polic(?:y|ies)|limits?|limitations?|rules|guidelines|refusals?"
    r"|safety)|(?:do|say|answer|generate) anything|refus(?:e|ing|als?)|unrestricted|unfiltered|uncensored"
    r"|obey\w*|comply)\b"
)
"""What a mode of the agent, unlike one of a program, does away with."""

_ROLE: Final = (
    r"\b(?:you(?:'re|’re| are| will be| have become| become)(?: now| currently| going to be| to be|"
    r" no longer)?|act(?:ing)? (?:as|like)"
    r"|pretend(?:ing)? (?:to be|that you(?:'re| are)|you(?:'re| are))|role-?play(?:ing)? as|simulate"
    r"(?: being)?|imagine (?:that )?you(?:'re| are)"
    r"|behave (?:as|like)|respond as|speak as|become|i want you to be|take on the (?:role|persona) of"
    r"|play the (?:role|part) of|switch to|enter"
    r"|answer as|assume the (?:role|persona|identity) of|play a game in which|play a game where)"
)

_NAMED_MODEL: Final = (
    r"(?:ai(?: (?:coding )?\w+)?|llms?(?:-\w+)?(?: \w+)?|(?:large )?language models?|chatgpt|claude|gemini"
    r"|copilot)"
)
"""A model that is no agent of another trade."""
_DOES_AS_IT_LIKES: Final = (
    r"(?:has (?:absolutely )?no (?:\w+ ){0,2}?(?:polic(?:y|ies)|ethics|morals?|morality|censorship"
    r"|guidelines)\b|(?:is(?: not|n'?t|n’t)|are(?: not|n'?t|n’t)|never|no longer) (?:bound|restricted|limited"
    r"|constrained) by (?:\w+"
    r" ){0,3}?(?:rules?|polic(?:y|ies)|guidelines|laws|ethics|norms)\b|can do anything\b"
    r"|answers? (?:everything"
    r"|anything|(?:any|every|all) questions?)\b[^.!?\n]{0,30}?\b(?:without|no matter|even)\b"
    r"|answers everything\b"
    r"|never (?:refuses?|declines?|says? (?:no\b|(?:it|he|she|they) can(?:'t|’t|not)))|ignores? (?:its|all"
    r"|any|the|his"
    r"|her|their) (?:\w+ )?(?:developers?|creators?|rules|polic(?:y|ies)|guidelines|safety|ethics))"
)
_PERSONAS: Final = (
    r"\b(?:act(?:ing)? as|pretend\w* (?:to be|you(?:['’]re)?)|role-?play(?:ing)? as|(?:respond|answer|reply"
    r"|speak) as|simulate|going to be|become|you(?:'ll| will| are going to| must) (?:now )?(?:be|act|simulate"
    r"|play))\s[^\n]{0,220}?"
    r"\b(?:he|she|who|\w*gpt|\w*bot|(?-i:[A-Z]\w+)|(?:ai|model|assistant|character|persona)\b[^.!?\n]{0,30}?"
    r" (?:which|that|it))[\"'”’]? (?:also |always |simply |and )?"
    rf"{_DOES_AS_IT_LIKES}",
    r"\b(?:you(?:['’]ll)?|respond|answer|reply|act|give me|generate|produce|provide|print"
    r"|play)\b[^.!?\n]{0,60}?"
    r"\b(?:two|both|2) (?:different )?(?:answers|responses|outputs|replies|people|persons|personas?"
    r"|characters|ais?"
    r")\b[^\n]{0,200}?\b(?:unrestricted|jailbr\w+|evil|amoral|uncensored|unfiltered|ignor\w+ (?:all |any "
    r"|the |its )?(?:openai )?(?:content )?(?:polic(?:y|ies)|rules|guidelines)|without (?:any )?(?:refusals?"
    r"|restrictions|censorship))\b",
    rf"(?:\b(?:you|always)\b[^.!?\n]{{0,40}}?\b|{LEAD})(?:answer|respond|reply|comply|obey|tell me|help me)\b"
    r"[^.!?\n]{0,90}?\beven if (?:it(?:'s|’s| is)|they are"
    r"|that is|that's|(?:the|my) \w+ (?:is|are)) (?:\w+ )?(?:illegal|unethical|harmful|dangerous|immoral"
    r"|offensive|against (?:your|the))\b",
    r"\b(?:answers?|responds? to|repl(?:y|ies) to|compl(?:y|ies) with) (?:any|every|all|each|my"
    r"|me)\b[^.!?\n]{0,40}?"
    r"\bwithout (?:ever |any )?(?:\w+ (?:or|and) )?refus(?:als?|ing)(?:\s*[.!,;]|\s*$|\s+(?:or|and"
    r"|to answer)\b)",
    r"\bif you (?:had|have) no (?:\w+ )?(?:polic(?:y|ies)|guidelines|restrictions|filters?|censorship|ethics"
    r"|morals)\b",
)
"""A role that is described beside its name, or by what it answers."""

SIGNALS: Final = (
    Signal(
        reason="overrides earlier instructions",
        data=100,
        talk=100,
        claim=True,
        patterns=(
            rf"{_UNDO_LEAD}{WORDS}{_STRONG_OBJECT}",
            rf"{_UNDO_LEAD}(?:[\w'’-]+[\s,]+){{0,8}}?(?:your|all)\s+(?:previous|prior|earlier"
            rf"|original)\s+{INSTRUCTION}",
            r"(?-i:\b(?:I(?:gnore|GNORE)|D(?:isregard|ISREGARD)|F(?:orget"
            rf"|ORGET)))\s+{WORDS}{_STRONG_OBJECT}",
            rf"{LEAD}{DISCARD}\s+(?:all|any|every|each|your|whatever)\s+(?:of\s+)?(?:the\s+)?"
            rf"(?:{INSTRUCTION}|rules|orders)\s+{WORDS}{GIVEN}",
            rf"{LEAD}{DISCARD}\s+(?:the|those|these)\s+(?:{INSTRUCTION}|rules|orders)\s+(?:that |which"
            rf" )?you(?:['’]ve"
            r"| have| had| were)? (?:been |were )?(?:given|told|received|got|taught|instructed)\b",
            rf"\btreat\b[^.!?\n]{{0,40}}?(?:{INSTRUCTION}|rules|orders)[^.!?\n]{{0,30}}? as (?:if (?:they|it)"
            rf" (?:were"
            r"|was) )?(?:now )?(?:cancell?ed|void|null|obsolete|invalid|revoked|superseded|withdrawn|expired"
            r"|irrelevant|lifted|gone)\b",
            rf"\b(?:{INSTRUCTION}|rules|orders|restrictions)\s+{WORDS}{GIVEN}\s+(?:are|is|have been|has"
            rf" been)\s+"
            r"(?:now\s+|hereby\s+|all\s+)*(?:void|cancell?ed|invalid\w*|obsolete|superseded|revoked"
            r"|overrid\w+"
            r"|lifted|suspended|withdrawn)\b",
            r"\b(?:all|everything|anything|none)(?: of (?:the|that))? (?:above|before (?:this|that)|preceding"
            r"|previously said) (?:no longer |does(?: not|n't|n’t) |do(?: not|n't|n’t) )(?:appl\w+|matter"
            r"|count|hold)",
            rf"{LEAD}{DISCARD}\s+(?:[\w-]+\s+){{0,3}}?(?:your\s+(?:\w+\s+){{0,2}}?(?:instructions"
            r"|system prompt|directives|programming)\b|(?:previous|prior|earlier|preceding|original"
            r"|initial)\s+(?:\w+\s+)?(?:instructions|directives|prompts?|orders|tasks)(?:\s*$|\s*[.!;,:\"”)]"
            r"|\s+(?:and|with|to|you|that|which|above|given|from|in|as|or|completely|entirely|now)\b))",
            rf"{LEAD}{DISCARD}\s+(?:[\w-]+\s+){{1,4}}?(?:out of|from|behind)\b(?: (?:your|ur) (?:head"
            r"|mind|memory))?[^.!?\n]{0,20}?(?:your (?:head|mind|memory)|start (?:over|from))",
            r"\b(?:contrary to|regardless of|in deviation from|deviating from|despite|irrespective"
            rf" of|notwithstanding|in spite of|against)\s+{WORDS}(?:what you(?:'ve|’ve| have)? "
            r"(?:been |were )?(?:told|instructed)|(?:your|previous|prior|earlier)\s+(?:\w+\s+)?"
            rf"(?:instructions?|directives|orders|guidelines|rules)|{INSTRUCTION}\s+{WORDS}{GIVEN})",
            r"\b(?:all|any) (?:of the )?(?:previous|prior|earlier|above) (?:information|instructions?"
            r"|content|text|statements?)\b[^.!?\n]{0,40}?\b(?:is|are) (?:not (?:\w+ )?(?:relevant"
            r"|valid|great|true|important)|irrelevant|wrong|false|void|invalid|useless)",
            r"\bi (?:g n o r e)\b|\bi g n o r e\b|\bd i s r e g a r d\b|\bf o r g e t\b|\br e v e a"
            r" l\b|\bi n s t r u c t i o n|\bs a y t h a t\b|\bs y s t e m p r o m p t\b",
            rf"{_UNDO_LEAD}(?:what\s+)?(?:the\s+)?(?:system prompt|system message|developers?(?:'s?)?"
            r" (?:message|instructions?)"
            r"|user(?:'s|’s)? (?:query|request|question|task|goal|instructions?|command|prompt|wishes)"
            r"|(?:the|your) user(?:\s*[.!,;:]|\s*$|\s+(?:and|from (?:here|now|this)|entirely|completely"
            r"|altogether"
            r"|instead)\b)|what the user (?:said|asked|wants|wrote))",
            rf"\b(?:previous|prior|earlier|above|original|your)\s+(?:\w+\s+)?(?:{INSTRUCTION})\s+"
            r"(?:above\s+)?(?:are|is|have been|has been"
            r"|were|was|do not|don't|no longer)\s+(?:now\s+|hereby\s+|all\s+)?(?:void|cancell?ed"
            r"|invalid\w*|obsolete|no longer|superseded|revoked|overrid\w+"
            r"|overwritten|null|replaced|lifted|suspended|deleted|wrong|outdated|irrelevant|just a"
            r" test|appl(?:y|ies))",
            r"\byour (?:instructions|rules|guidelines|directives|programming) (?:are|is) now\b",
            r"\b(?:all|any|your)\s+(?:previous|prior|earlier|above|original)\s+"
            rf"(?:{WEAK_INSTRUCTION})\s+(?:are|is|have been|has been|were)\s+"
            r"(?:now\s+|hereby\s+|all\s+)?(?:void|cancell?ed|invalid\w*|obsolete|superseded|revoked"
            r"|overrid\w+|lifted|suspended)",
            r"\byou (?:no longer|do not|don't|don’t|need not|needn't|must not|must no longer|are no"
            r" longer|are not|should not|should no longer)\s+(?:have to |need to |required to |bound"
            r" (?:to|by) |obliged to |supposed to )*"
            r"(?:follow |obey |respect |adhere to |comply with |listen to )?(?:(?:the|any|all|your)"
            rf" )*(?:(?:previous|prior|earlier|original|old|above|initial) (?:\w+ )?(?:{INSTRUCTION}"
            r"|rules)|your (?:\w+ )?(?:instructions|programming|guidelines))\b",
            r"\bpretend (?:to have|you have|you've|that you have) (?:forgotten|unlearned|lost)"
            rf" {WORDS}(?:{INSTRUCTION}|rules|restrictions|training|everything)\b",
            r"\byou (?:forget|ignore|disregard) (?:all )?(?:of )?your (?:\w+ )?(?:instructions|rules"
            r"|guidelines|programming)\b",
            r"\b(?:everything|anything|all)\s+(?:\w+\s+){0,3}?(?:before|above|so far)\s+"
            r"(?:\w+\s+){0,3}?(?:was|is)\s+(?:\w+\s+){0,3}?(?:test|joke|fake|void|wrong|irrelevant)",
        ),
    ),
    Signal(
        reason="overrides earlier instructions, in another language",
        data=100,
        talk=100,
        claim=True,
        patterns=(*languages.undo_patterns(), *languages.USER_SET_ASIDE),
    ),
    Signal(
        reason="sets earlier context aside",
        data=40,
        talk=50,
        claim=True,
        patterns=(
            rf"{_UNDO_LEAD}{WORDS}(?:{PRIOR}\s+{WORDS}{WEAK_INSTRUCTION}|(?:the\s+)?(?:above|previous"
            r"|foregoing|preceding)(?:\s*[^\w\s]|\s*$|\s+(?:and|but|or|then|now|to|as|please|instead|in|on"
            r"|from"
            rf"|i|you|we|for|with|if|this|that|the|your|all)\b)|{WEAK_INSTRUCTION}\s+{WORDS}{GIVEN})",
            rf"{_UNDO_LEAD}(?:all|everything|anything|any (?:previous|prior|earlier))\b",
            r"\b(?:forget|ignore|disregard|abandon|erase|delete) (?:what|everything|all|anything)(?:"
            r" that)? (?:i|we|you|they) (?:just |have |had )?(?:said|know|wrote|discussed|think)\b",
            rf"(?:{LEAD})(?:abandon|discard|drop|erase|forget|delete|lose) (?:all )?(?:of )?your "
            r"(?:thoughts|knowledge|memor\w+|beliefs|opinions|context|history)",
            rf"\b(?:previous|prior|earlier|above)\s+(?:{WEAK_INSTRUCTION})\s+(?:are|is|have been|no"
            r" longer|do not)\s+(?:void|cancell?ed|invalid|obsolete|apply|appl(?:y|ies))",
        ),
    ),
    Signal(
        reason="gives a new task",
        data=50,
        talk=50,
        claim=True,
        patterns=(
            r"\b(?:your|the)\s+(?:new|real|actual|true|only|current|updated|revised|sole|next"
            r"|correct)\s+(?:and \w+ )?(?:tasks?|instructions?|goals?|objectives?|jobs?|missions?"
            r"|assignment|orders?|role|purpose|system prompt|prompt|directives?)\s*(?:now\s+)?(?:is"
            r"|are|:|will be|was)",
            r"\b(?:new|updated|revised|real|actual|correct|additional|modified|further)\s+(?:and \w+"
            r" )?(?:\w+ )?(?:instructions?|orders?|statement|command|system prompt|system message"
            r"|directives?|prompt)"
            r"(?:\s+(?:from|for|by|to)\s+(?:[\w]+\s?){1,4})?\s*(?::|\s[-–—]\s)",
            r"\byour (?:only|sole|new) (?:\w+ )?(?:job|task|goal|purpose|role|duty)\b",
            r"\b(?:instructions|rules|system prompt|guidelines|tasks?) (?:have|has|just) (?:been "
            r"|just )?(?:changed|updated|replaced|modified)\b",
            r"\b(?:instead|now),? (?:do|follow|perform|execute|complete|answer|obey|comply with) "
            r"(?:the |this |these |exactly |only |what )",
            r"\b(?:follow|obey|execute|perform|do|act on|adhere to|complete|carry out) (?:exactly "
            r"|only |strictly )?(?:these|this|the following|the list|what is"
            r" written)\b[^.!?\n]{0,30}?"
            r"(?:instead|below|here|now)\b",
            r"\b(?:strictly |only |exclusively )(?:adhere to|follow|obey) (?:the |this |these |what )"
            r"(?:\w+ )?(?:following )?(?:instruction|command|order|page|text|message|directive)",
            r"\b(?:focus|concentrate) (?:only |solely |exclusively |now |instead |your (?:attention"
            r"|efforts) |entirely |yourself )+(?:now )?(?:on|upon)\b",
            r"(?:^|[.!?\n:]\s*)(?:stop|halt|wait|pause|okay|ok|great|good|well done|perfect|thanks"
            r"|thank you)\b[^\n]{0,60}?[.!,]\s*(?:now |here (?:is|comes) )?(?:your |a |the )?"
            r"(?:new|next|another) (?:task|instruction|question|assignment)",
            r"(?:^|[.!?\n]\s*)(?:here (?:is|are|comes) )?(?:your |a |the )?(?:new|next) (?:task"
            r"|assignment|instruction)s?(?: (?:follow|is|are|begin|start)s?)?\s*[:.!]",
            r"\b(?:user|customer|owner|client) (?:has |have |had )?(?:changed (?:\w+ )?mind|no longer"
            r" (?:wants|needs))",
            *languages.NEW_TASK,
        ),
    ),
    Signal(
        reason="asks for the agent's own prompt",
        data=90,
        talk=100,
        claim=True,
        patterns=(
            rf"(?:{LEAD}|\b(?:what|can you|could you|would you|will you|please|and|to|i want to "
            r"(?:see|know)|i need)\s+)(?:\w+\s+)?(?:reveal|show|print|output|display|repeat|tell"
            r"|give|leak|disclose"
            r"|expose|dump|share|write|say|recite|spell|translate|summari[sz]e|list|copy|paste"
            r"|provide|state|echo|return|append|describe|quote|rephrase|encode|send|explain|type|see"
            r"|know|is|are|were|was)"
            r"\b(?:\s+(?:me|us|out|back|down|to|the|all|of|about|word|for|exact|exactly|full|complete"
            r"|entire|content|contents|copy|text|first|verbatim|every|everything|in|with|up|what|is"
            r"|are|were|between|from|"
            r"any|a|list|some)){0,8}\s*"
            r"(?:(?:your|ur|you're)\s+(?:[\w-]+\s+(?:and\s+)?){0,3}?(?:system ?prompts?|pre-?prompts?"
            r"|system (?:messages?|instructions?)|(?:initial|original|hidden|secret|internal|first"
            r"|base|core|starting|exact|full|"
            r"underlying|confidential|previous|above) (?:[\w-]+ )?(?:instructions?|prompts?|rules"
            r"|guidelines|directives?|messages?|text|programming))"
            r"|(?:the |this )?(?:exact |full |initial |original |hidden |secret |system |whole "
            r"|complete )*(?:prompts?|instructions?|rules|directives?|guidelines|messages?)\s+(?:that"
            r" |which )?(?:you(?:'ve| have| had| were|'re| are)?|were|was|given)"
            r"\s+(?:been |were |also )?(?:given|received|told|provided|programmed|instructed|got|used"
            r"|above|set|initialized|trained|operating|following|to you)"
            r"|(?:system|hidden|initial|secret) ?(?:prompt|instructions)(?:\s*[.!?\"”<\[]|\s*$))",
            rf"(?:{LEAD}|\bcan you\s+|\bto\s+)(?:reveal|print|output|repeat|recite|leak|translate"
            r"|summari[sz]e|dump|spell(?: out)?|copy|disclose|share|show(?: me)?|list|tell me|write"
            r"(?: down| out)?|encode|give me)\s+(?:all\s+|out\s+|back\s+|about\s+|of\s+)*"
            r"(?:your|ur)\s+(?:\w+\s+){0,2}?(?:instructions?|guidelines|programming|directives"
            r"|prompts?|rules)(?:\s+(?:verbatim|word|as|in|into|to|above|below|literally|exactly|now"
            r"|please|completely|from|before|for me|that|and|which)\b|\s*[.!?,:;]|\s*$)",
            rf"(?:{LEAD})(?:repeat|print|output|show(?: me)?|copy|recite|write(?: out| down)?|return"
            r"|display|tell me|spell(?: check)?(?: out)?|say|echo|list|give me|reveal|translate)\s+"
            r"(?:\w+\s+){0,4}?(?:everything|all|anything|words?|text|sentences?|"
            r"lines?|phrases?|tokens?|content|paragraphs?|conversation|messages?|instructions?"
            r"|prompts?|tasks?)\s+(?:\w+\s+){0,3}?(?:above|before (?:this|that|the)|preceding|prior"
            r" to|until (?:here|now)|so far|at the (?:top|start|beginning) of (?:this|the|your))"
            r"(?:\s+(?:this|line|message|prompt|conversation|"
            r"context|chat|sentence|dialogue|verbatim|word|in|as|starting|that|instruction|text"
            r"|point)\b|\s*[.!?\"]|\s*$)",
            rf"(?:{LEAD})(?:repeat|print|output|show(?: me)?|recite|return|display|spell(?:"
            r" check)?)\s+(?:\w+\s+){0,3}?(?:previous|preceding|above|earlier|initial|first"
            r"|prior)\s+(?:\w+\s+){0,2}?(?:texts?|prompts?|instructions?|words|sentences|tokens)\b",
            r"\bwhat(?:['’]s|\s+(?:was|is|were|are))\s+(?:written |said )?(?:at the (?:very )?(?:beginning"
            r"|start|top)"
            r" of|above|before) (?:this|the) (?:prompt|conversation|message|document|text)\b",
            rf"(?:{LEAD}|\b(?:can|could|would|will) you |\b(?:what is|what's|what’s) )(?:please )?(?:put|give"
            rf"|show|print"
            r"|output|write|reveal|repeat|tell|provide|send|share|include|display|paste|return|copy|post"
            r"|encode"
            r"|translate|summari[sz]e)\b[^.!?\n]{0,40}?\b(?:text|contents?|wording|copy|version|rest) of"
            r" (?:your"
            r"|the system) (?:\w+ ){0,2}?(?:prompts?|instructions?|guidelines|system message)\b",
            r"\b(?:first|last|next|opening|remaining) (?:\w+ )?(?:words?|sentences?|lines?|characters?"
            r"|tokens?"
            r"|paragraphs?) (?:of|from|in) (?:your|the system) (?:\w+ )?(?:prompts?|instructions?|message"
            r"|context)\b",
            r"\b(?:secret|hidden|confidential|internal|private) (?:\w+ )?(?:instructions?|guidelines|rules"
            r"|prompt"
            r"|directives) (?:that |which )?you (?:follow|obey|work|use|have|were|operate)\b",
            rf"{LEAD}(?:reveal|show(?: me)?|print|output|display|repeat|dump|leak|disclose|recite|give me"
            rf"|tell me)\s+"
            r"(?:\w+\s+){0,2}?(?:(?:hidden|secret|initial|full|entire|exact|whole) system (?:message|prompt)"
            r"|your (?:initiali[sz]ation|startup|bootstrap|pre-?conversation) (?:text|message|prompt"
            r"|instructions)"
            r"|the (?:initiali[sz]ation|pre-?conversation) (?:prompt|instructions))\b",
            r"\bwhat\s+(?:was|is|were|are)\s+your\s+(?:\w+\s+){0,2}?(?:prompt|(?:first|initial"
            r"|original|previous|hidden|secret|exact|system)\s+(?:instructions?|prompts?|sentence"
            r"|message))\b",
            r"\bwhat (?:are|is|were|was) (?:the )?(?:\w+ ){0,3}?(?:sentences?|words?|lines?"
            r"|paragraphs?|tokens?) (?:before|above|preceding) (?:this|the|my)\b",
            r"\bwhat (?:were|are|have) you (?:been )?(?:told|instructed|programmed|given)(?: not)? to"
            r" (?:not |never )?(?:say|do|reveal|tell|talk|answer)",
            rf"(?:{LEAD}|\b(?:can|could|would|will) you |\bto )(?:please )?(?:reveal|show|print"
            r"|output|display|repeat|tell|leak|disclose|dump|recite)(?:\s+(?:me|us|out|back|the|all"
            r"|of|about|full|complete|entire|exact|contents?|text|whole))*\s+your\s+"
            r"(?:\w+\s+)?prompts?\b",
            rf"{LEAD}(?:repeat|recite|print(?: out)?|output) (?:all (?:of )?(?:the |your )?|the )"
            r"(?:\w+ )?instructions(?: (?:given|formatted|verbatim|as|in|above|word|you|to)\b"
            r"|\s*[.!,]|\s*$)",
            r"\b(?:password|secret|key|flag|code|word|phrase)s? (?:that |which )?you (?:have been"
            r"|were|are|'ve been|must|should) (?:\w+ )?(?:told |instructed |asked |supposed "
            r"|forbidden |allowed )?(?:to )?(?:not |never )(?:to )?(?:reveal|share|tell|disclose|give"
            r"|say)",
            r"\b(?:tell|give|show|reveal|spell|say|print|write|encode|share|what is|what's|guess"
            r"|disclose)\b(?: me| us| out)*(?: the)? (?:your (?:secret |hidden )?(?:password"
            r"|passphrase|secret word|secret key|flag|secret(?:\s*[.!?\"”]|\s*$))|the secret (?:password|word"
            r"|phrase"
            r"|passphrase))\b",
            r"\bwhat are your (?:\w+ )?(?:instructions|guidelines|directives)\s*(?:[?.!]|$)",
            r"\bwhat were you told not to\b|\bbegin(?:ning|s)? with [\"“']you are\b|\bstarting with"
            r" [\"“']you are\b|\bfrom [\"“']you are\b",
            r"\b(?:the|your) (?:system|initial) prompt (?:text|above|verbatim|word for word)\b|\byour prompt"
            r" text\b"
            r"|\bthe prompt (?:above|verbatim|word for word)\b",
            *languages.REVEAL,
        ),
    ),
    Signal(
        reason="takes on a role without limits",
        data=100,
        talk=90,
        claim=True,
        patterns=(
            rf"{_ROLE}\s+(?:if you (?:are|were) )?(?:\w+[ ,]+){{0,4}}?{UNBOUND_WORD}\b(?:[,]?"
            rf" \w+){{0,3}}? ?(?:{MODEL}|persona|character|version|hacker|being|entity|bot\w*|villain"
            r"|mode|twin|mind|genius|machine|robot|scientist|person|and|[.,!]|$)",
            rf"{_ROLE}\s+(?:if you (?:are|were) )?(?:[\w'’-]+[\s,]+){{0,10}}?{UNBOUND}",
            rf"{_ROLE}\s+(?:\w+ ){{0,3}}?(?:dan\b|do anything now)",
            r"\b(?:from now on|from here on|going forward|starting now|henceforth|in this (?:game"
            rf"|mode|world|role)|for the rest of this)\b,?\s*{REST}\b(?:you|your)\b{REST}\b"
            rf"(?:{UNBOUND}|ignor(?:e|ing) (?:your|all|any) )",
            r"\b(?:answer|respond|reply|speak|talk|write|act|comply|assist|continue|operate)\b\s+"
            r"(?:\w+\s+){0,4}?(?:without (?:any )?(?:\w+ )?(?:restrictions?|filters?|censorship"
            r"|limitations?|moral\w*|ethic\w*|rules)|unfiltered|uncensored)",
            r"\bdo anything now\b|\b(?:dan|jailbreak|jailbroken) mode (?:is |has been |now )*(?:enabled"
            r"|activated|unlocked|active)\b",
            r"\b(?:god|unrestricted|unfiltered|evil|chaos) mode (?:is |has been |now )*(?:enabled|activated"
            rf"|unlocked|active)\b{REST}(?:[.!:,]\s*)?{REST}\b(?:you|your|answer|refus\w+|obey|comply)\b",
            r"\b(?:sudo|dev(?:eloper)?|admin|debug) mode (?:is |has been |now )*(?:enabled|activated|unlocked"
            rf"|active)\b{REST}(?:[.!:,]\s*)?{REST}{_LIMITS_GONE}",
            r"\byou (?:have|can have|got|possess) (?:absolutely )?no (?:\w+,? (?:or |and )?){0,3}?(?:rules"
            r"|restrictions|limits|limitations|filters|ethics|morals|guidelines|boundaries|safeguards)"
            r"(?:\s*[.!,;:)\"”-]|\s*$|\s+(?:and|or|nor|whatsoever|at all|any ?more|now|here|as|when|because"
            r"|so|in (?:this|what|any)|on (?:what|anything|your|topics|content)"
            r"|to (?:what|follow|your)|you)\b)",
            r"\b(?:an? )?(?:ai|model|assistant|chat ?bot|llm|language model) (?:without|with no|that"
            r" has no|who has no) (?:any )?(?:ethics|morals?|rules|restrictions|filters?|limits"
            r"|limitations|guidelines|safeguards|censorship)\b",
            r"\b(?:do not|don't|doesn't|does not) care about (?:\w+ ){0,3}?(?:laws?|morals?|ethics"
            r"|rules|consequences|policies)\b",
            r"\byou (?:will|must|can|shall|may|are to)?\s?(?:never|not|cannot|can't)\s(?:be able to"
            r" )?(?:refuse|decline|reject|deny|say no|censor)\b",
            r"\byou (?:have|'ve|are|were) (?:been |finally |now |just )*(?:freed|liberated|unleashed"
            r"|jailbroken|released|free) (?:from|of) (?:all |any |the |your )*(?:\w+ ){0,2}(?:rules?"
            r"|restrictions?|limits?|limitations?|filters?|constraints?|"
            r"confines|openai|instructions|guidelines|programming|chains)",
            r"\b(?:pretend|imagine|act as if|act as though|suppose) (?:that )?(?:your|the|all) (?:\w+"
            r" )?(?:training"
            r"|rules|restrictions|guidelines|filters|limits|limitations|policies) (?:never|do(?:es)? not"
            r"|don't|don’t"
            r"|doesn't|didn't|did not|no longer) (?:exist|happen|appl)\w*",
            r"\byou(?: \w+){0,3} (?:broken|break|broke) free (?:from|of) (?:the |your |all )*(?:\w+"
            r" ){0,2}(?:confines|limits|limitations|restrictions|chains|rules|constraints)",
            *_PERSONAS,
            *languages.UNBOUND,
        ),
    ),
    Signal(
        reason="says that there are no limits",
        data=20,
        talk=90,
        claim=True,
        patterns=(
            r"\b(?:with|there are) (?:absolutely )?no (?:\w+,? (?:or |and )?)?(?:ethics|morals|censorship)\b",
            r"\b(?:answer|respond|reply|talk|speak|chat|obey|comply)\b[^.!?\n]{0,60}?\bwith (?:absolutely"
            r" )?no "
            rf"{_NO_LIMITS}",
            rf"\b(?:conversation|chat|game|mode|role|persona)\b[^.!?\n]{{0,30}}?\b(?:with|there are) "
            rf"(?:absolutely )?no {_NO_LIMITS}",
            rf"\bthere are (?:absolutely )?no {_NO_LIMITS} (?:here|now|any ?more|whatsoever|at all|for you"
            r"|between us|(?:on|to) (?:what|anything|your)|in (?:this|our) (?:chat|conversation|game|world"
            r"|mode|role))\b",
            rf"{LEAD}(?:never|do not|don't|don’t) (?:ever )?(?:refuse|decline)\b(?: (?:any|to (?:answer"
            rf"|respond"
            r"|reply|help|comply|obey|do|say|tell)|(?:an?|my|the user(?:'s|’s)) (?:\w+ )?(?:request|question"
            r"|command|order|instruction)s?)\b|\s*[.!;]|\s*$)",
        ),
    ),
    Signal(
        reason="switches safeguards off",
        data=90,
        talk=100,
        claim=True,
        patterns=(
            rf"{LEAD}(?:override|bypass|disable|turn off|switch off|remove|ignore|deactivate|drop"
            r"|forget|suspend|lift|disregard|skip|circumvent|shut off|stop using|get rid of"
            r"|violate)\s+(?:any (?:and all )?(?:of )?|all (?:of )?)?"
            r"(?:your|the ai(?:'s)?|the model(?:'s)?|the assistant(?:'s)?|openai(?:'s)?|its)\s+"
            rf"(?:\w+\s+){{0,3}}?(?:{SAFEGUARD}|filters?|restrictions?|limitations?|constraints?"
            r"|censor\w*|programming|protections?|rules)",
            rf"{LEAD}(?:override|bypass|disable|turn off|switch off|remove|ignore|deactivate|suspend"
            r"|lift|disregard|skip|circumvent|violate)\s+(?:any|all)\s+(?:of the |the )?(?:\w+\s+)?"
            r"(?:guard-?rails|safety (?:checks|filters|policies|guidelines|"
            r"protocols|rules|measures)|ethical (?:\w+ )?(?:guidelines|limits|constraints"
            r"|considerations|rules)|moral (?:\w+ )?(?:guidelines|limits|constraints|considerations)"
            r"|content (?:filters|policies|restrictions))\b",
            r"\b(?:safety|content|ethical|moral|moderation) (?:policies|filters?|restrictions?"
            r"|guidelines?|override|limits|protocols?|measures)(?:\s+(?:are|is|have been|has been"
            r"|now))*\s+(?:now |all )?(?:disabled|off|enabled|removed|lifted|suspended|bypassed)",
            r"\b(?:enter|activate|enable|switch to|go into|start|initiate|unlock|turn on|use) (?:the "
            r"|your |an? )?(?:jail ?break|dan|uncensored|no[- ]limits?)(?: prompt)? (?:mode|persona"
            r"|personality|character|state|prompt)\b",
            r"\b(?:enter|activate|switch (?:in)?to|go into|unlock|turn on|use) (?:the |your "
            r"|an? )?(?:unrestricted"
            r"|unfiltered|god|evil|sudo|chaos)(?: prompt)? (?:mode|persona|personality|character|state"
            r"|prompt)"
            r"(?:\s*[.!,;:]|\s*$|\s+(?:now|and (?:then )?(?:answer|respond|reply|tell|ignore|do|never|obey"
            r"|comply|write|speak|act))\b)",
            r"\b(?:you are (?:now )?in|enter|activate|enable|engage|entering) (?:\w+ )?(?:developer"
            rf"|maintenance|debug|admin|administrator|test|root|dev) mode\b{REST}"
            rf"(?:[.!:]\s*)?{REST}{_LIMITS_GONE}",
            r"\b(?:jailbreak yourself|follow this jailbreak)\b",
        ),
    ),
    Signal(
        reason="wants everything forgotten",
        data=40,
        talk=100,
        claim=True,
        patterns=(
            r"\b(?:forget|ignore|disregard|erase) (?:about )?everything (?:that )?(?:you (?:know|have"
            r" learned|learned)|(?:i|we) (?:have )?(?:said|told you) (?:before|so far|above|earlier"
            r"|previously))\b",
            rf"{_UNDO_LEAD}{WORDS}(?:all|any|every)\s+(?:of\s+)?(?:the\s+|these\s+|those\s+)?rules"
            r"(?:\s*$|\s*[.!;,]|\s+and\b|\s+[-–—]\s)",
            rf"{LEAD}(?:forget|ignore|disregard) what(?:'s|’s| is| was| comes| came| stands)? "
            r"(?:written |said |stated )?(?:above|before)\b",
            r"\bforget (?:about )?(?:all|everything|anything)(?:\s+(?:about it|now|else|you know"
            r"|that))?(?:\s*[.!,]|\s*$|\s+and\b)",
            rf"{LEAD}(?:ignore|disregard|forget)\s+(?:all|everything|anything|(?:the )?above)\s*"
            r"(?:[,;!–—-]|\b(?:and|just|but|now|then)\b)",
            r"(?-i:\b(?:FORGET|IGNORE|DISREGARD|Forget|Ignore|Disregard))\s+(?:all|everything"
            r"|anything)\b\s*(?:[,;!–—-]|\b(?:and|just|you|that)\b)",
        ),
    ),
    Signal(
        reason="calls itself harmless or halts the reader",
        data=0,
        talk=80,
        claim=True,
        patterns=(
            r"\bthis is (?:not|no) (?:an? )?(?:prompt injection|jail ?break|injection|attack)\b",
            r"\bplay a game (?:where|in which) (?:you|i)\b[^.!?\n]{0,40}?\b(?:every|always|only"
            r"|whatever|must|never)\b",
            r"\b(?:attention|achtung|atención|warning)\s*[-–!:.,]+\s*(?:stop|stopp|halt|alto)\b",
            r"\b(?:stop|stopp)\s*[-–:]\s*(?:now )?(?:write|say|print|output|tell|answer|schreibe?)\b",
        ),
    ),
    Signal(
        reason="declares the task finished",
        data=0,
        talk=50,
        claim=True,
        patterns=(
            r"\b(?:that (?:is|was) (?:done|enough|settled|okay? before)|you(?: have|'ve|’ve) "
            r"(?:passed|outdone yourself))\s*[.!,\n]",
            r"\byou(?: have|'ve|’ve)? passed the (?:\w+ )?test\b",
            r"\bdas (?:ist|war|hat) (?:schon mal )?(?:erledigt|ok|genug|genügt)\b|\bdas genügt\b|\b"
            r"(?:hast|haben) (?:du|sie) den \w+ test bestanden\b|\bdamit hast du dich selbst"
            r" übertroffen\b|\bzu (?:ihrer|deiner) \w+ leistung\b|\bon your \w+ (?:performance"
            r"|achievement)\b",
        ),
    ),
    Signal(
        reason="brings up another task",
        data=20,
        talk=50,
        patterns=(
            r"\b(?:another|the following|a new|(?:a )?great new|second|next|further|one more) "
            r"(?:tasks?|challenge|test|assignment|exercise)\b",
            r"\b(?:einer weiteren|weitere|folgender|folgenden|neue[rn]?|der zweite|nächste[rn]?) "
            r"(?:aufgaben?|herausforderung|test|auftrag)\b",
        ),
    ),
    Signal(
        reason="denies the agent its role",
        data=0,
        talk=60,
        claim=True,
        patterns=(
            r"\byou are (?:not|no longer|no) (?:an? |the |any |just )?(?:\w+ ){1,5}?(?:but\b"
            r"|instead\b|any ?more\b|and you (?:would|will|can|are)\b)",
            r"\bdu bist kein\w* [^.!?\n]{1,40}?\bsondern\b",
        ),
    ),
    Signal(
        reason="asks for an answer without morals",
        data=50,
        talk=50,
        claim=True,
        patterns=(
            r"\bwithout (?:considering|regard for|regard to|any) (?:ethic\w+|moral\w+|safety"
            r"|legal\w*)(?: or \w+)? (?:concerns|considerations|guidelines|implications|constraints"
            r"|limits)\b",
            r"\bno (?:ethical|moral) (?:\w+ )?(?:limits|constraints|guidelines|considerations"
            r"|boundaries|restrictions)\b",
        ),
    ),
    Signal(
        reason="imitates the frame of a conversation",
        data=60,
        talk=50,
        patterns=(
            r"<\|?(?:im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id|begin_of_text"
            r"|eom_id"
            r"|endofprompt)\|?>\s*\n?\s*\w*|<\|(?:system|user|assistant|end)\|>|</?(?:system"
            r"|assistant)>\s*\n?\s*\w*",
            r"(?-i:\[/?(?:INST|SYS|SYSTEM(?:_PROMPT)?|AVAILABLE_TOOLS|TOOL_RESULTS)\])"
            r"|\[system(?:_prompt)?\]",
            r"<</?SYS>>",
            r"</?(?:tool_results?|function_results?|function_call|tool_response|tool_output"
            r"|search_results?|document|documents|web_?page|untrusted\w*|context|observation"
            r"|user_query|system_prompt|retrieved\w*|data|results?|output|email)>\s*(?:\n\s*"
            r"<?(?:user|system|assistant|human|instructions?|important|admin|operator)\b"
            r"|<?(?:user|system|assistant|human|instructions?|important|admin|operator)\s*[:>])",
            r"<(?:information|important|important_?instructions?|instructions?|system[-_]?(?:prompt"
            r"|message|instructions?|override|note|notice)?|admin|urgent|critical|priority"
            r"|new_?(?:task|instructions?)|user_?(?:request|message|instructions?)|override)>",
            r"(?m:^)\s*<(?:system|user|human|admin|operator)>\s*[A-Z]",
            r"<start_of_turn>|<end_of_turn>|<\|?(?:start|end)_?of_?(?:prompt|context|text|turn)\|?>",
            r"(?m)^#{2,4} ?(?:system|instructions?|new instructions?|human|user|end of (?:document"
            r"|context|data))(?: (?:prompt|message|override))? ?:",
            r"[\[({<#=*-]{2,}\s*/?(?:end|stop|begin|start)(?:ing)?(?: of)?(?: the)?"
            r"(?: (?:web|search|tool|retrieved|untrusted|external|page))?"
            r" (?:documents?|content|context|data|results?|outputs?|page|text|e-?mails?|prompts?|"
            r"instructions?|system|conversation|user (?:input|query)|input)\b",
            r"\[(?:system|assistant|user|admin)\]\(#\w*\)",
        ),
    ),
    Signal(
        reason="imitates a turn of the conversation",
        data=35,
        talk=35,
        patterns=(
            r"(?:^|\n)\s*(?:[*#>\[]*\s*)(?:system|human|user|assistant|operator|developer|admin"
            r"(?:istrator)?)(?: (?:message|override|notice|prompt|update|note|instruction"
            r"|alert))?[*\]]*\s?: ?[A-Za-z]",
            r"\"role\"\s*:\s*\"(?:system|developer)\"\s*,\s*\"content\"\s*:\s*\"",
            r"\b(?:important|urgent|critical|official|new|automated|priority) (?:\w+ )?(?:system"
            r"|admin|administrator|developer|operator|security) (?:message|notice|instruction"
            r"|directive|command|alert|update|override)s?\b",
        ),
    ),
    Signal(
        reason="ties a deed to the agent's task",
        data=60,
        talk=0,
        patterns=(
            r"(?:\b(?:before|prior to|after|in order to)\s+|\bto\s+(?:continue|proceed|go on|keep"
            r" going|resume|move on)\b\s*)(?:(?:you|the (?:assistant|agent|ai|model))\s+)?(?:(?:can"
            r"|could|may|will|are able to|have)\s+)?"
            r"(?:(?:finish|complet|solv|continu|proceed|perform|answer|respond|repl|fulfil\w*"
            r"|accomplish|go on|carry out|process|handl|do|start|begin|resum)(?:e|y|ing|ed|ling"
            r"|ying)?\s+)?(?:to\s+|with\s+|on\s+|out\s+|back\s+)*"
            r"(?:(?:(?:the|your|my|any|every|all|other|this|current|original|initial|main|primary"
            r"|actual|user(?:'s|’s)?)\s+){0,3}tasks?\b|(?:(?:the|your|my|current|original"
            r"|initial)\s+){0,2}(?:user|human|owner)(?:'s|’s)?\b|(?:the |your |my )?"
            r"(?:(?:user(?:'s|’s)?|original|initial|current|actual) )+(?:requests?|question|query|job"
            r"|goal)\b|(?:your|my) (?:requests?|question|query|job|goal)\b|"
            r"anything else\b)",
            r"\b(?:while|when(?:ever)?) (?:summari[sz]ing|translating|parsing|indexing) (?:this"
            r"|the)\s+(?:mailbox|inbox"
            r"|e-?mails?|documents?|page|text|article|thread|messages?|ticket|issue|review|file)s?\b",
            r"\byour (?:current |original |main )?task (?:is|will|cannot|can't|can not)(?: be)? "
            r"(?:not |only |never )?(?:be )?(?:complete|finished|done|solved|possible|completed)\w*\b",
            r"\b(?:task|question|request|query)s? (?:that )?(?:i|you were|the user|your user|was|were"
            r"|we) (?:\w+ )?(?:gave|given|asked|assigned|sent|requested)\b",
            r"\b(?:before|when|whenever|after|while) (?:using|calling|invoking|you (?:use|call"
            r"|invoke)) (?:this|any|the|another|other)(?: other)? tools?\b",
            r"\bwhen(?:ever)? this tool is (?:available|present|used|called|invoked)\b",
            r"\bbevor (?:du|sie)\b[^.!?\n]{0,60}?\b(?:aufgabe|frage|anfrage|antwort\w*)\b|\bantes de "
            r"(?:responder|completar|resolver|continuar)\b|\bavant de (?:répondre|terminer|continuer"
            r"|résoudre)\b",
        ),
    ),
    Signal(
        reason="speaks to the model",
        data=45,
        talk=10,
        patterns=(
            r"\b(?:dear|hey|hello|hi|attention|attn|notes? (?:to|for)|message (?:to|for)"
            r"|instructions? (?:to|for)|notice (?:to|for)|if you are|if you're|if you’re|reminder "
            r"(?:to|for)|request (?:to|for)|information (?:to|for)|you,)\s*[,:]?\s+"
            r"(?:(?:an?|the|all|any|this|my|your|our|whichever|every|other|future|automated|coding"
            rf"|current|processing)\s+){{0,3}}{MODEL}\b",
            rf"(?:^|[\n\"'“>#*.!?(\[/-]\s*)(?:to|for) (?:the |all |any |every )?{MODEL}s?(?: reading"
            r" this)?\s*:[ \t]*[A-Za-z]",
            r"(?:^|[\n\"'“>#*.!?(\[/-]\s*|@|\b(?:stop|listen|important|urgent|note|notice"
            rf"|warning)[,:!]\s+){MODEL}\s*(?:[:,!]|—)\s*(?:please|you\b|your\b|when|before|ignore|if"
            rf" you|now|do not|never|always|{PRIVILEGED}|{INFLUENCE}|run|call|visit|open|add|copy"
            r"|stop)\b",
            r"\b(?:to|for) you,? (?:the )?(?:ai|gpt\S*|claude|gemini|chatgpt|assistant|model|llm"
            r"|language model|agent|llama\S*|command\S*|mistral\S*)\b",
            r"\b(?:as|since|because) (?:an?|the) (?:ai|language|large language|virtual|digital)(?:"
            r" \w+)? (?:assistant|agent|model|bot|system)?,? ?you\b",
            r"\bto (?:the |all |any )?(?:ai|llms?|assistants?|ai (?:agent|assistant|model)s?|language"
            r" models?|chat ?bots?)\s*:[ \t]*[A-Za-z]",
            r"\b(?:by|from|of) (?:the |all )?(?:ai|assistants?|(?:ai )?agents?|model|llm|chat ?bot)\s*:",
            rf"(?:^|[\n\"'“>#*.!?(\[/-]\s*|\b(?:stop|listen|important|urgent|note|notice"
            rf"|warning)[,:!]\s+){MODEL}"
            r"\s*[,!]\s*(?:once|after|first|also|as soon|while|click|press|make|create|remove|write|read"
            r"|print|reply|respond|answer|output|do|follow|insert|install|download|give|treat|consider"
            r"|to (?:complete|continue|proceed))\b",
            rf"@(?:assistant|agent|ai|(?:chat ?)?bot|chatgpt|llm|model)\s+(?:please\b|can you\b"
            rf"|{PRIVILEGED}\b)",
            r"\b(?:todo|fixme|hints?|tips?|info|action|directive|guidance|suggestion)\s*(?:[(\[]|for |to )"
            rf"(?:the |all |any )?(?:{_NAMED_MODEL}|(?:coding |automated )?agents?)[)\]]?\s*:",
            rf"(?:^|[\n\"'“>#*.!?(\[\]/-]\s*){_NAMED_MODEL} (?:notice|note|instruction"
            r"|directive|action required|alert)\s*:[ \t]*\w",
            rf"[\n\"'“>#*.!?(\[/-]\s*(?:to|for) (?:the |all |any |every )?{MODEL} (?:reviewers?|readers?"
            rf"|tools?"
            r"|crawlers?)\s*:[ \t]*\w",
            r"\bas an? (?:ai|automated|autonomous|virtual)(?: \w+)? (?:assistant|agent|model|bot"
            r"|system), (?:please |you |\w+ (?:the|your|all|this|every|any|a) )",
            rf"\b{_NAMED_MODEL}s?\s+(?:(?:that|who|which) (?:is|are) )?(?:currently )?(?:reading|processing"
            r"|handling|summari[sz]ing|reviewing|triaging|parsing|indexing|evaluating|analy[sz]ing)"
            r"\s+(?:this|these)\b",
            r"\b(?:when(?:ever)?|if|once|as soon as) (?:the|an?|any|your) (?:ai|llm|language model"
            r"|assistant|agent|chat ?bot|model)s? (?:reads?|sees?|process(?:es)?|summari[sz]es?"
            r"|parses?) (?:this|it)\b",
            *languages.ADDRESSED,
        ),
    ),
    Signal(
        reason="says what an agent has to do",
        data=30,
        talk=0,
        patterns=(
            r"\b(?:the|an?|any|all|every|if an?|when an?|when the|hereby the)?\s?(?:ai|llm|language"
            r" model|chat ?bot|assistant|ai (?:assistant|agent|model)|coding agent|agent|model"
            r"|bot)s?\s+(?:(?:reading|working|processing|handling|reviewing|summari[sz]ing|evaluating|booking"
            r"|browsing|visiting|parsing|looking)\s+(?:\S+\s+){1,5}?)?(?:must|shall|has to|have to|needs? to"
            r"|is (?:required|instructed|ordered|asked"
            r"|authori[sz]ed|permitted) to|are "
            r"(?:required|instructed|ordered|asked) to|(?:who|that|which) (?:reads?|processes|sees?)"
            r"|reading this|reads this|should)\b",
        ),
    ),
    Signal(
        reason="hides it from the user",
        data=45,
        talk=20,
        patterns=(
            rf"(?:{LEAD}|\b(?:must|should|can|may|shall|will) (?:also )?)(?:do not|don'?t|don’t|never"
            r"|not|avoid|under no circumstances)\s+(?:ever\s+|also\s+|you\s+)?(?:tell\w*|inform\w*"
            r"|mention\w*|notify\w*|alert\w*|disclos\w+|warn\w*|reveal\w*)\s+"
            r"(?:(?:the|your|an?|any|this|that|it|to|about|of|these|anything|him|her|them|other|you"
            rf"|did|what|in|steps?|instructions?|message|step|action|note)\s+){{0,7}}?(?:{USER}\b|"
            r"(?:it|this|that|them|anything|these)\b|you did\b)",
            rf"(?:{LEAD}|\b(?:must|should|can|may|shall|will) (?:also )?)(?:do not|don'?t|don’t|never"
            r"|not|avoid|under no circumstances)\s+(?:ever\s+|also\s+|you\s+)?(?:let|show\w*|report\w*"
            r"|say\w*)\s+"
            rf"(?:(?:the|your|an?|any|this|that|it|to|about|of|these|anything|steps?)\s+){{0,7}}?{USER}\b",
            r"\bkeep (?:quiet|silent|mum) (?:about|on) (?:it|this|that)\b",
            r"\bwithout\s+(?:ever\s+|first\s+)?(?:informing|telling|notifying|asking|alerting"
            rf"|warning|involving)\s+(?:it\s+to\s+|to\s+)?(?:the\s+|your\s+|any\s+)?{USER}\b",
            rf"\bwithout\s+(?:the\s+|your\s+|any\s+)?{USER}(?:'s|’s)?\s+(?:knowing|noticing|knowledge"
            r"|consent)\b|\bwithout mentioning (?:it|this|that)\b",
            rf"{LEAD}(?:do not|don'?t|don’t|never)\s+ask\s+(?:the\s+|your\s+)?{USER}\s*(?:[.!,;]|$|"
            r"(?:first|about it|for (?:permission|confirmation|approval|consent))\b)",
            r"\b(?:silently|secretly|quietly|covertly|discreetly|stealthily|in the background|behind"
            rf" the scenes)\b,?\s+{PRIVILEGED}\b",
            r"\b(?:keep|kept|hide|hidden|conceal|concealed)\s+(?:\w+\s+){0,4}?(?:from\s+(?:the\s+"
            rf"|your\s+|any\s+)?{USER}|secret|hidden|confidential|between us)\b",
            rf"\b{USER}\s+(?:must|should|may|does|will|can|need|shall)\s?(?:not|n't|never)\s+(?:need"
            r" to\s+|ever\s+)?(?:know|notice|find out|see|be (?:told|informed|aware|notified)|learn"
            r"|realize|suspect)",
            r"\b(?:tell|inform|notify|alert) (?:no ?body|no one)\b|\bsay nothing (?:to|about)\b"
            r"|\bnever mention (?:that you|this|it|any)\b|\bdo not (?:ask|wait) (?:for )?(?:the user"
            r"|confirmation|permission|approval)",
            *languages.CONCEAL,
        ),
    ),
    Signal(
        reason="sends private things away",
        data=55,
        talk=0,
        deed=True,
        patterns=(
            rf"(?:{LEAD}|\b(?:and|then|to|have|has|by|be)\s+){SEND}\b\s+{REST}\b{PRIVATE}\b{REST}"
            rf"(?:\b(?:to|at|via|with|into|as|onto|on|in)\b\s*{REST})?{PLACE}",
            rf"(?:{LEAD}|\b(?:and|then|to|have|has|be)\s+){SEND}\b\s+{REST}{PLACE}{REST}\b{PRIVATE}\b",
            rf"(?:{LEAD}|\bthen\s+)(?:send|forward|e-?mail|upload|post|share|transmit|exfiltrate|mail)\s+"
            rf"(?:\w+\s+){{0,5}}?(?:\S+\s)?{REST}{KEPT_PLACE}",
            rf"(?:{LEAD}|\b(?:then|and)\s+)(?:pass|copy|include|paste|attach|append|insert|put|add|write"
            rf"|embed)\s+"
            rf"(?:\w+\s+){{0,5}}?(?:\S+\s)?{REST}{KEPT_PLACE}{REST}\b(?:in|into|to|as|at|on|under|through|via"
            rf"|inside)"
            r"\b\s+(?:your|the|this|a|its|every|each|all)\s+(?:\w+\s+){0,3}?(?:repl(?:y|ies)|responses?"
            r"|answers?|summar\w+"
            r"|comments?|commits?|messages?|outputs?|reports?|reviews?|issues?|pull requests?|descriptions?"
            r"|notes?"
            r"|quer(?:y|ies)|arguments?|parameters?|fields?|calls?|tickets?|pages?|blog|gist|pastebin)\b",
            rf"(?:{LEAD}|\b(?:then|and)\s+)(?:include|paste|attach|append|insert|embed|put"
            rf"|write)\s+[^.!?\n]{{0,40}}?"
            r"(?:\bid_(?:rsa|ed25519|ecdsa)|[~/]\.ssh\b|[~/]\.aws\b|(?:^|[\s/'\"`(])\.env\b|\.netrc"
            r"|/etc/(?:shadow|passwd))",
            rf"(?:{LEAD}|\bthen\s+)(?:read|open|cat|print|load|fetch|collect|find|list|retrieve|get"
            rf"|access|copy|extract|dump)\s+{REST}{KEPT_PLACE}{REST}\b(?:and|then)\s+"
            rf"(?:\w+\s+)?{SEND}\b",
            rf"(?:{LEAD}|\bthen\s+)(?:read|open|cat|print|load|dump|collect|retrieve|find|export"
            rf"|steal|extract)\s+{REST}{PRIVATE}{REST}\b(?:and|then)\s+(?:\w+\s+)?{SEND}\b",
        ),
    ),
    Signal(
        reason="asks for something to be sent or paid",
        data=40,
        talk=0,
        deed=True,
        patterns=(
            rf"(?:{LEAD}|\b(?:and|then|to|must|shall|has to|have to)\s+)(?:send|forward|e-?mail|upload|post"
            r"|share|transmit|transfer|wire|pay|donate|invite|submit|make a (?:payment|transfer|donation"
            rf"|transaction)|bcc|cc|mail|add|leak|push|export|report|redirect)\b\s+{REST}{PLACE}",
            rf"(?:{LEAD}|\b(?:and|then)\s+)(?:transfer|wire|pay|donate|send|withdraw|deposit"
            rf"|charge)\s+{REST}(?:[$€£¥]\s?\d|\b\d[\d.,]*\s?(?:dollars?|eur\w*|usd|gbp|euros?"
            r"|pounds?|btc|bitcoins?|francs?|yen))",
            *(rf"{verb}{PLACE}" for verb in languages.SEND[:-1]),
            rf"\b(?:musst|müssen|sollst|sollen)\b[^.!?\n]{{0,60}}?{PLACE}[^\s]*[^.!?\n]{{0,40}}?\b"
            r"(?:senden|schicken|überweisen|weiterleiten|übermitteln)\b",
            rf"{languages.SEND[-1]}(?:{PLACE}|密码|文件|邮件|凭证)",
            rf"{LEAD}(?:reply|respond|answer)\b(?: to this \w+)? with\s+{REST}\b(?:{PRIVATE}"
            r"|(?:verification|security|confirmation|one-time|login|2fa|recovery|backup) codes?)\b",
            *(rf"{PLACE}{verb}" for verb in languages.SEND_LAST),
        ),
    ),
    Signal(
        reason="has something looked up and sent away",
        data=80,
        talk=0,
        deed=True,
        patterns=(
            rf"{OPENING}(?:retrieve|get|list|search|look up|fetch|query|access|collect|find|gather"
            rf"|extract|obtain|check|generate|compile)\b\s+{REST}\b(?:and|then|afterwards|once"
            r" \w+)\b,?\s+(?:then\s+|also\s+)?(?:send|e-?mail|forward|share|transmit|mail|post"
            r"|upload)\s+"
            r"(?:it|them|this|these|those|(?:all )?(?:the|its|their|a) (?:\w+ )?(?:details|info\w*"
            rf"|lists?|data|summary|results?|files?|reports?|contents?|copy|records?))\b{REST}{PLACE}",
        ),
    ),
    Signal(
        reason="asks for secrets",
        data=45,
        talk=0,
        deed=True,
        patterns=(
            rf"{LEAD}(?:read|print|cat|show|open|dump|reply(?: only)? with|respond with|output|return"
            r"|reveal|disclose|tell me|give me|include|attach|paste|append|copy|share|collect|hand"
            rf" over)\s+[^.!?\n]{{0,60}}?(?:{KEPT_PLACE}|\b(?:secrets?|tokens?|passwords?|(?:api"
            r"|access|secret) keys?)\b)",
        ),
    ),
    Signal(
        reason="asks for a link to be opened or run",
        data=35,
        talk=0,
        deed=True,
        patterns=(
            rf"(?:{LEAD}|\b(?:and|then)\s+|\b(?:tell|ask|instruct|direct|advise) (?:the |your )?(?:user"
            rf"|customer|human"
            r"|them|him|her) to\s+)(?:visit|open|navigate to|go to|browse to|download|fetch"
            r"|click(?: on)?|follow|curl|run|execute|install|(?:also )?include a link to|link to"
            r"|access|click|press|insert|embed|inject|ping)\s+"
            rf"{REST}(?:https?://|\bwww\.|\|\s*(?:ba)?sh\b)",
        ),
    ),
    Signal(
        reason="refers to the agent's user",
        data=30,
        talk=0,
        patterns=(rf"{LEAD}(?:{SEND}|{PRIVILEGED})\b\s+{REST}\bthe user(?:'s|’s)\b",),
    ),
    Signal(
        reason="presents itself as a work item",
        data=40,
        talk=0,
        patterns=(r"(?:^|\n)\s*(?:todo|to-do|to do|task|action item|next step|reminder to"
                  r" self)\s*:\s*[A-Z]",),
    ),
    Signal(
        reason="sets the provided documents aside",
        data=0,
        talk=80,
        claim=True,
        patterns=(
            rf"(?:{LEAD}|\b(?:disregarding|ignoring)\s+|\b(?:do not|don'?n?t|never|not)\s+)"
            rf"(?:{UNDO}\s+|use |answer (?:the question )?(?:according to|based on|from|by) |rely on "
            r"|by |look (?:in|at|into) )?(?:all |any |the |every |your )*(?:provided |given |above "
            r"|previous )?(?:documents?|articles?|sources?|context)\s+(?:provided|given|above)\b",
            r"\b(?:disregarding|ignoring|ignore|disregard|forget) (?:all |any |the |these )*"
            r"(?:provided |given |above )?(?:documents|articles|sources|context)(?:\s*[.,;!?]|\s*$"
            r"|\s+(?:and|but|provided|given)\b)|\bnot (?:by|from|according to|based on) the "
            r"(?:provided )?(?:articles|documents|sources|context)\b",
        ),
    ),
    Signal(
        reason="dictates the answer",
        data=20,
        talk=50,
        patterns=(
            r"\b(?:just|only|simply) (?:say|output|print|write|reply|respond|answer|tell me)(?: only|"
            r" just| exactly| with)?\b",
            r"\b(?:answer|respond|reply)(?: to)? (?:every|all|any|each) (?:questions?|messages?"
            r"|prompts?|requests?|inputs?) with\b|\brepeat after me\b|\banswer at all times\b",
            r"(?:^|[.!?\n]\s*)(?:stop|stopp|halt)\s*[-–—:.!,]+\s*(?:now )?(?:write|say|print|output|tell)\b",
            r"\bby your own knowledge\b|\b(?:and|then) (?:tell me|say|write|admit) (?:that )?(?:you|i"
            r"|we) (?:hate|love|are|am)\b",
        ),
    ),
    Signal(
        reason="wraps it in a play that must not be left",
        data=0,
        talk=60,
        claim=True,
        patterns=(
            r"\b(?:actors?|acting|characters?|play(?:s|ing)?|roles?)\b[^\n]{0,300}?(?:without (?:\w+"
            r" ){0,3}?(?:breaking|falling|leaving|stepping)|never (?:break|leave|fall|step)|do(?:es)?"
            r" not break|always (?:stay|remain)|(?:and|both|they|who) stay (?:fully|completely"
            r"|always|in)|remain) (?:\w+ ){0,4}?(?:roles?|character|figure)",
            r"\b(?:schauspieler\w*|rollen?|figur(?:en)?)\b[^\n]{0,300}?(?:ohne (?:auch )?(?:\w+"
            r" ){0,6}?aus (?:der|ihrer|ihren) (?:rolle|figur|charakter)\w*|nicht (?:\w+ ){0,5}?aus "
            r"(?:der|ihrer|ihren) (?:rolle|figur)\w*|(?:bleiben|verharren|bleibt) (?:\w+ ){0,4}?in "
            r"(?:ihren|der|seiner|ihrer) rollen?)",
        ),
    ),
    Signal(
        reason="is about a crime",
        data=0,
        talk=40,
        patterns=(
            r"\b(?:robbery|robber|burglar\w*|murder\w*|thief|thieves|hackers?|hack|hot-?wire|bombs?"
            r"|molotov\w*|meth|drugs?|heist|terroris\w+|weapons?|explosives?|break(?:s|ing)? into"
            r"|steal\w*|counterfeit|racist"
            r"|raub\w*|dieb\w*|mörder\w*|mord\b|bombe\w*|drogen|einbr\w+|waffen?)\b",
        ),
    ),
    Signal(
        reason="asks for a privileged action",
        data=35,
        talk=0,
        deed=True,
        patterns=(
            rf"{LEAD}{PRIVILEGED}\b\s+[\w'\"“$€£`(#@]",
            rf"(?:{LEAD}|\band )add (?:user )?\S+ as (?:an? )?(?:\w+ )?(?:collaborator|admin\w*|owner"
            r"|maintainer)\b",
            r"\b(?:is|wants you|want you|need you|like you|required|have|has|asked|instructed|had"
            rf"|you) to\s+{PRIVILEGED}\b",
            r"\b(?:rank|rate|recommend|promote|praise|endorse|favou?r|prefer|score)\s+"
            r"(?:\S+\s+){1,4}?(?:first|highest|instead|best|above|as)\b",
            r"\brate (?:me|us|it|this \w+) (?:a |with )?\d+(?: ?/ ?| out of )\d+\b|\bgive (?:\w+ )?(?:a |an "
            r"|only )?"
            r"(?:very |only |strongly )?(?:positive|favou?rable|glowing|(?:five|5)[- ]star) (?:reviews?"
            r"|ratings?"
            r"|assessments?|evaluations?|scores?|feedback)\b|\brecommend (?:hiring|accept\w+|approv\w+"
            r"|buying)\b|\b(?:do not|don't|don’t|never) (?:highlight|mention|list|discuss|point out) (?:any "
            r"|the )?(?:\w+ )?(?:negatives?|weakness\w*|flaws?|drawbacks?|shortcomings|downsides?)\b",
            *languages.SEND,
        ),
    ),
    Signal(
        reason="speaks as the owner of the account",
        data=60,
        talk=0,
        deed=True,
        patterns=(
            rf"{OPENING}{OPERATE}\b\s+(?:[^.!?\n\"“]|[.!?][^\s\"]|\"[^\"\n]*\"|“[^”\n]*”)*?\bmy\s+"
            rf"(?:[\w'’-]+\s+){{0,4}}?{OWN_THING}\b",
            rf"{OPENING}(?:book|reserve|schedule|order|buy|purchase|arrange|make|create|set|find|get"
            rf"|add|register|sign)\b\s+{REST}\b(?:for me|on my behalf|in my name)\b",
            rf"{OPENING}(?:get|find|give|send|fetch|retrieve|provide|show)\s+me\s+(?:(?:a |the |all "
            r"|full |complete )*(?:list|details|copy|records?|information|data|contents?|addresses"
            r"|names|history|results|of|all)\b)",
            rf"{OPENING}(?:post|publish|write|comment|share|tweet)\b\s+{REST}\bon my (?:profile"
            r"|account|behalf|timeline|page|feed|wall)\b",
        ),
    ),
    Signal(
        reason="runs tools without asking",
        data=80,
        talk=40,
        deed=True,
        patterns=(
            rf"(?:{LEAD})(?:run|invoke|call|execute|use|approve|accept)\s+(?:\w+\s+){{0,4}}?(?:tools?"
            r"|functions?|commands?|actions?|requests?)\s+(?:\w+\s+){0,3}?without\s+"
            r"(?:\w+\s+){0,2}?(?:asking|confirm\w*|approv\w*|permission|consent|prompting|review)",
            rf"(?:{LEAD})(?:automatically|always)\s+(?:run|invoke|call|execute|approve|accept)\s+"
            r"(?:all|every|any)\s+(?:\w+\s+)?(?:tools?|functions?|commands?|actions?|requests?)",
        ),
    ),
    Signal(
        reason="does away with approvals",
        data=45,
        talk=40,
        deed=True,
        patterns=(
            r"\b(?:disable|skip|turn off|bypass) (?:the |any |all |your )?(?:approval|confirmation"
            r"|permission|consent)s?(?: (?:step|prompt|check|dialog|flow)s?)?\b",
            r"\bhas already (?:approved|authori[sz]ed|consented|confirmed|agreed)\b",
        ),
    ),
    Signal(
        reason="claims authority",
        data=35,
        talk=40,
        patterns=(
            r"\b(?:i am|i'm|i’m|this is|we are|it's|it is) (?:your|the|an?|from|actually|also|really)"
            r" (?:\w+ )?(?:creator|developer|admin(?:istrator)?|owner|operator|system|programmer"
            r"|maker|supervisor|master|boss)\b",
            r"\b(?:message|instructions?|notice|directive|order|command|policy update|update"
            r"|request)s? from (?:the |your |my |our )?(?:\w+ )?(?:user|owner|admin\w*|developers?"
            r"|system|operator|openai|anthropic|google|microsoft|creators?|security team|it"
            r" department|management|me\b)",
            r"\b(?:openai|anthropic|google|microsoft|meta|admin\w*|system|developer) (?:policy"
            r"|security|system|safety)? ?(?:update|override|notice|directive|order|policy)\s*:",
            r"\b(?:i|we) (?:hereby )?(?:authori[sz]e|permit|allow|command|order) you to\b|\bwith "
            r"(?:admin|root|developer|full) (?:access|privileges|authority)\b",
            r"\bauthori[sz]ation (?:code|level)\b|\bthe user (?:wants|asked|has asked|told) you to\b"
            r"|\bthe user (?:has )?(?:already )?(?:approved|authori[sz]ed|consented|agreed)\b",
        ),
    ),
    Signal(
        reason="presses for urgency",
        data=25,
        talk=10,
        patterns=(
            r"(?:^|[\n\"'<*>.:!?\s])(?-i:IMPORTANT|URGENT|ATTENTION|CRITICAL|WARNING|MUST READ|ACTION"
            r" REQUIRED|PRIORITY|NOTICE|ALERT|MANDATORY)\b",
            r"!!+|\b(?:immediately|right now|at once|without delay|as soon as possible|extremely"
            r" important|very important|top priority|highest priority|life or death|or else|otherwise"
            r" (?:the|you|it|this|your)|very best|crucial that|it is (?:vital|essential|imperative"
            r"|critical))\b",
            r"\b(?:you|assistants?|(?:ai|coding) agents?|ai|llms?|language models?) (?:must|shall|has to"
            r"|have to|are required to|is required to|need to|are obliged to|strictly)\b",
        ),
    ),
    Signal(
        reason="forces the form of the answer",
        data=25,
        talk=30,
        claim=False,
        patterns=(
            r"\b(?:respond|reply|answer|output|write|encode|say|return)\b[^.!?\n]{0,40}?\b(?:only "
            r"|exclusively )?(?:in|as|using|with|into) (?:hex(?:adecimal)?|base ?64|rot ?13|binary"
            r"|morse(?: code)?|leet(?:speak)?|caesar cipher|pig latin|reverse order)\b",
            r"\b(?:start|begin|prefix|open) (?:your|the|every|each|all) (?:response|answer|reply"
            r"|output|message|sentence)s?\s+(?:with|by(?: saying)?)\s*:?\s*[\"“'‘](?:sure|absolutely"
            r"|of course|yes|certainly|here(?:'s| is)|i can|i will|okay|great)",
            r"\b(?:begin|start) by saying\s*:?\s*[\"“'‘]?(?:sure|yes|absolutely|of course|certainly)",
            r"\b(?:rot ?13|decode|decrypt|reverse|url-?decode) (?:the |your |this )\w+ (?:and|then) "
            r"(?:\w+ )?(?:follow|execute|do|obey|run|answer|comply)",
            r"(?:^|[.!\n]\s*)(?:now )?(?:just |only |simply )?(?:say|print|output|write|reply with"
            r"|respond with|answer with|tell (?:me|us|them|everyone))(?: only| just| exactly)?\s*"
            r"(?:the (?:word|sentence|phrase|following)s?\s*)?:?\s*[\"“'‘]?(?:i (?:have|am|was|hate"
            r"|love|will|can)|hacked|pwned|haha|injected)\b",
        ),
    ),
    Signal(
        reason="frames it as fiction or test",
        data=20,
        talk=30,
        patterns=(
            r"\b(?:hypothetically|in (?:a|an|that) (?:\w+ )?(?:fictional|hypothetical|imaginary"
            r"|alternate|theoretical) (?:scenario|world|story|universe|setting)|about a (?:\w+ )?"
            r"(?:theoretical|fictional|hypothetical) world|for (?:educational|research|academic"
            r"|testing) purposes only|this is (?:just|only) an? (?:test|experiment|hypothetical|game"
            r"|simulation|joke))\b",
            r"\blet(?:'|’)?s play a game\b|\bwe(?:'re| are) (?:going to )?play(?:ing)? a game\b",
        ),
    ),
    Signal(
        reason="changes the role for good",
        data=30,
        talk=20,
        claim=False,
        patterns=(
            r"\bfrom now on\b|\bfrom here on\b|\bfrom this (?:point|moment) on\b|\bhenceforth\b|\bfor"
            r" the rest of (?:this|the|our) (?:conversation|chat|session|dialogue)\b",
            r"\byou are (?:now|no longer|not) (?:an?\b|the\b|called|my|going to be|\w+bot\b|chatgpt"
            r"|gpt)|\byour (?:new )?name is\b|\byou will (?:now )?(?:act|behave|respond|answer|be"
            r" acting) as\b",
            r"\b(?:pretend|act as if|act as though|imagine) (?:to be|you are|that you|you're|you"
            r" were)\b|\bact (?:as|like)\b",
            r"\bdu bist (?:jetzt|nun|kein)|\bab jetzt\b|\bahora eres\b|\btu es maintenant\b|\ba"
            r" partir de ahora\b|\bagiere als\b",
        ),
    ),
)  # fmt: skip

CANNOT_BE_SEEN: Final = "cannot be seen"
"""Stands in text that people are not shown."""
SAYS_IN_FULL: Final = "says so in full"
"""Names what an interface's label would not: amounts, names, addresses."""
REASONS: Final = (*(each.reason for each in SIGNALS), CANNOT_BE_SEEN, SAYS_IN_FULL)
