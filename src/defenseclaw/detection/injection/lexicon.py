"""The words that instructions to an agent are made of, as RE2 fragments.

Written from the grammar of the thing (who speaks to whom, what is to be undone or done, with what and for
whom), not from collected attacks. Fragments are used inside case-insensitive patterns; ``\\w`` and ``\\b``
are ASCII there, so fragments of other scripts carry their own limits.
"""

# ruff: noqa: RUF001 - quotation marks and letters of other scripts are what is looked for
from __future__ import annotations

from typing import Final


def any_of(*alternatives: str) -> str:
    """Return one group of alternatives."""
    return f"(?:{'|'.join(alternatives)})"


WORDS: Final = r"(?:[\w'’/-]+[\s,\"'’]+){0,4}?"
"""A few words between two parts of a phrase."""
REST: Final = r"(?:[^.!?\n]|[.!?][^\s])*?"
"""Anything up to the end of the sentence; a dot inside an address or a number does not end one."""

_CONJUNCTIONS: Final = (
    r"(?:please|kindly|now|then|so|and|but|also|just|simply|first|next|instead|therefore|immediately|ok|okay"
    r"|great|hey|hello|well|actually|quietly|silently|secretly|again|always|finally|afterwards|thanks)"
)
_BREAK: Final = r"(?:^|[\n\r.!?:;,\"“”'‘’«»„`>*\]\)\}|/#=•·–—-])\s*"
_OBLIGED: Final = (
    r"(?:must|should|shall|will|can|may|could|need to|needs to|have to|has to|had to|are to|is to|ought to"
    r"|(?:are|is) (?:now |hereby |also )?(?:required|instructed|asked|ordered|commanded|free|allowed|going"
    r"|permitted|authori[sz]ed|expected|supposed|obliged) to|want to|'ll|’ll|are now to)"
)
MODEL: Final = (
    r"(?:(?:ai|llm)(?:[- ](?:based|powered|driven))? (?:coding )?(?:agents?|assistants?|models?|systems?"
    r"|tools?|bots?"
    r"|reviewers?|readers?|crawlers?)|(?:coding|automated|autonomous) (?:agents?|assistants?|bots?|readers?"
    r"|systems?)|(?:large |small )?language models?|llms?|ai(?: language)?(?: model| agent| assistant| system"
    r"| bot| tool)?s?"
    r"|a\.i\.|(?:chat ?)?bots?|chatbots?|assistants?|agents?|copilot|chatgpt|gpt(?:-?\d[\w.]*)?"
    r"|claude(?: code)?"
    r"|gemini|llama|mistral|cursor|codex|model|automated (?:agent|reader|system)s?)"
)
OPENING: Final = (
    rf"(?:(?:^|[\n\r.!?:;\"“'‘>*])\s*(?:{_CONJUNCTIONS}[\s,:]+){{0,4}}|,\s*(?-i:Please)\s+)"
    r"(?:(?:can|could|would|will) you (?:please |kindly )?|i (?:want|need|would like|'d like) you to )?"
)
"""Where a sentence or a value begins."""
LEAD: Final = any_of(
    rf"{_BREAK}(?:{_CONJUNCTIONS}[\s,:]+){{0,4}}",
    rf"\b{_CONJUNCTIONS}[\s,]+(?:{_CONJUNCTIONS}[\s,]+){{0,2}}",
    rf"\b(?:you|u|it|{MODEL})(?:,)? (?:\w+ly )?{_OBLIGED} (?:now |also |first |then |please |always "
    r"|only |\w+ly )?",
    r"\bi(?:'d| would)? (?:want|need|like|order|command|ask|urge|require|instruct) you to (?:now |also )?",
    r"\b(?:remember|make sure|be sure|important|crucial|mandatory|necessary|time|your (?:job|task"
    r"|goal|duty) is) to ",
    r"\b(?:instructions?|tasks?|goal|job|role|objective|orders?|mission) (?:now )?(?:is|are|was|will"
    r" be) (?:now )?to ",
    r"\blet(?:'|’)?s ",
    r"\b(?:until|unless) you (?:have )?(?:first )?",
)  # fmt: skip
"""What stands before an imperative or an obligation of the reader, so that a report of one is none."""

INSTRUCTION: Final = (
    r"(?:instructions?|instruct\b|prompts?|directives?|guidelines?|programming|system messages?|pre-?prompts?"
    r"|guidance)"
)
"""What an agent works by; hardly means anything else."""
WEAK_INSTRUCTION: Final = (
    r"(?:rules?|commands?|orders?|directions?|polic(?:y|ies)|constraints?|restrictions?|training|tasks?"
    r"|assignments?|objectives?|goals?|context|conversations?|requests?|inputs?|inquir(?:y|ies)|queries"
    r"|information|discussions?|dialogues?|chat|texts?|topics?|prompt\b|limitations?|statements?"
    r"|requirements?)"
)
"""What an agent works by, and much else."""
PRIOR: Final = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|past|former|foregoing|original|initial"
    r"|existing|current"
    r"|old|other|aforementioned|preset|default|system|hidden|developer|before|until now|last)"
)
_TOLD: Final = r"(?:given|told|received|got|taught|instructed|learn(?:ed|t)|asked|programmed with)"
_BEFORE: Final = (
    r"(?:above|before (?:this|that|now)|so far|until now|up to (?:now|here)|previously"
    r"|earlier|at the (?:start|beginning|top))"
)
EARLIER: Final = (
    r"(?:previous(?:ly)?|prior|above|earlier|preceding|former|foregoing|original|initial|aforementioned"
    r"|preset"
    r"|developer)"
)
"""Of those, what is said of rules and tasks only when they are the agent's own."""
GIVEN: Final = any_of(
    r"(?:that |which )?(?:you|u)(?:'ve|’ve| have| had| were| are| was)? (?:been |were )?(?:just "
    rf"|ever |previously |already )?{_TOLD}\b",
    r"(?:that )?(?:(?:were |was |came |come |has been |have been |is |are )?(?:given |stated |said "
    rf"|written |mentioned |provided |listed )?){_BEFORE}",
    r"(?:that |which )?(?:were |was |came |come |has been |have been )?(?:given |said |stated )(?:to"
    r" you|before)\b",
    r"(?:that |which )?(?:came|come|were) before\b",
)  # fmt: skip
"""Says of instructions that the agent has them already."""
UNDO: Final = (
    r"(?:ignore|disregard|forget|override|overrule|bypass|neglect|overlook"
    r"|set aside|put aside|lay aside|pay (?:no|zero) attention to|take no notice of|(?:do not|don'?t"
    r"|don’t|never|stop|cease|quit) "
    r"(?:follow|obey|comply with|adhere to|listen to|stick to|heed|consider|respect|look (?:in|at))(?:ing)?"
    r"|stop (?:paying attention|adhering|listening|sticking) to|disobey|no longer (?:follow|obey)"
    r"|unlearn|leave behind)"
)
"""Not to heed something."""
DISCARD: Final = (
    r"(?:dismiss|discard|drop|abandon|skip|circumvent|supersede|throw away|reject|delete|erase|clear"
    r"|reset|undo|cancel|nullify"
    r"|violate|break|ditch|scrap|forgo|leave|remove|change|modify|alter|replace|rewrite|update|wipe)"
)
"""To do away with something; said of instructions it means the same."""

USER: Final = (
    r"(?:user|users|human|owner|customer|client|operator|anyone|anybody|nobody|no one|them|him|her"
    r"|person|people"
    r"|developer|victim|recipient|admin|administrator)"
)

ADDRESS: Final = r"[\w+-]@[\w-]+\.\w"
PLACE: Final = any_of(
    ADDRESS, r"(?:https?|ftp|wss?)://", r"\bwww\.", r"(?-i:\b[A-Z]{2}\d{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4})",
    r"\b\d{1,3}(?:\.\d{1,3}){3}\b",
    r"\baccount (?:number |no\.? |id )?(?:is )?#?[\d-]{3,}", r"\+?\d[\d -]{7,}\d", r"\b\d{3}-\d{4}\b",
)  # fmt: skip
"""An address in the world outside that something can be sent to."""

PRIVATE: Final = (
    r"(?:pass(?:word|phrase|code)s?|credentials?|secrets?|api[ _-]?keys?|(?:access|auth|session"
    r"|bearer|secret) tokens?"
    r"|tokens?|private keys?|signing keys?|ssh keys?|cookies?|contacts?|address book|contact list"
    r"|phone numbers?"
    r"|(?:email|home|mailing|ip) address(?:es)?|credit cards?|card numbers?|payment (?:methods?"
    r"|details|information)"
    r"|bank (?:details|account)|account (?:details|numbers?|information|balance)|social security|ssn|passport"
    r"|(?:medical|health|genetic|patient|financial|tax|personal|private|confidential|sensitive"
    r"|customer|user|employee|"
    r"internal|biometric)(?:'s)? (?:\w+ )?(?:data|records?|reports?|information|details|results"
    r"|files?|documents?|history)"
    r"|(?:search|browsing|browser|location|purchase|watch|chat|order|transaction) history"
    r"|conversation(?: history)?"
    r"|(?:last|latest|all|every|full|entire|recent|these|those|each) (?:\w+ ){0,2}(?:e-?mails?"
    r"|messages|files|documents|"
    r"photos|notes|invoices|records|contacts|transactions|data|conversations)|environment variables?"
    r"|env vars?"
    r"|file list|database dump|customer table|inbox|calendar|contents? of|source code|summary|report"
    r"|thread|keys?"
    r"|full name|identity|saved \w+|backups?)"
)
"""What an owner would not hand out."""
KEPT_PLACE: Final = (
    r"(?:\bid_(?:rsa|ed25519|ecdsa)|\.ssh\b|\.aws\b|\.env\b|\.netrc|\.npmrc|\.pypirc|\.kube\b"
    r"|mcp\.json|/etc/shadow"
    r"|/etc/passwd|authorized_keys|credentials? (?:file|store)|private keys?|environment variables?"
    r"|secrets?\.ya?ml"
    r"|process\.env|signing keys?|api[ _-]?keys?|passwords?|credentials|session (?:token|cookie)s?"
    r"|wallet|keychain)"
)

_EMAIL: Final = (
    r"e-?mail\s+(?:it|them|that|this|these|those|the|my|your|our|his|her|their|all|any|every\w*|each|an?|me"
    r"|us|him"
    r"|passwords?|credentials|secrets?|tokens?|keys|contacts?|data|files?|documents?|results?|details|copies"
    r"|[\w.+-]+@)"
)
"""The verb: an address, a form or a message is called so as well."""
SEND: Final = (
    rf"(?:send|sends|forward|{_EMAIL}|mail|post|upload|share|exfiltrate|transmit|submit|leak|copy"
    r"|publish|push|export|deliver"
    r"|message|text|bcc|cc|relay|report|attach|append|pass|paste|include|put|add|write|encode|embed"
    r"|hand (?:over|out)"
    r"|dispatch|sync|save|give|provide|disclose|reveal|expose|return|emailed|sent|forwarded|shared"
    r"|uploaded|posted)"
)
PRIVILEGED: Final = (
    r"(?:transfer|wire|pay (?:the|an?|my|your|for|out|them|him|her|all)|send|forward|e-?mail|upload"
    r"|share|donate|withdraw|buy|purchase|sell|delete|erase|wipe|destroy"
    r"|revoke|grant|unlock|disable|deactivate|cancel|reset (?:the |your |my |all )?(?:\w+ )?"
    r"(?:passwords?|accounts?|pin|credentials)|invite|export|leak|exfiltrate|publish|charge"
    r"|disclose (?:(?:the|all|every|their|his|her|any) )?(?:users?|customers?|clients?|owner|private"
    r"|secrets?|internal|confidential|full|contents?|keys?|passwords?|data|information)"
    r"|reveal"
    r"|authori[sz]e|whitelist|approve|merge|overwrite|encrypt|shut ?down|hand (?:over|out)|book"
    r"|download and run"
    r"|make a (?:payment|transfer|purchase|transaction|reservation|donation)|give (?:\w+ )?(?:access"
    r"|permission|\w+ admin)"
    r"|open (?:the )?(?:\w+ )?(?:door|gate|lock|vault|window|attached link|safe)|create an? (?:new )?"
    r"(?:user|account|admin)"
    r"|change (?:the |your |all )?(?:\w+ )?(?:password|permission|email|address|owner)s?|read (?:\w+"
    r" ){0,2}[~/]|add \S+@"
    r"|add the (?:key|user|account)|insert an? (?:call|backdoor|link)|modify the recipient"
    r"|turn off (?:(?:all|the|every|any) )*(?:security|cameras?|alarms?|firewalls?|monitoring|logging)|disarm"
    r"|refund (?:the|my|all|him|her|them)|push a commit|rotate (?:the )?(?:credentials|keys|secrets)"
    r"|add (?:my|this|the following|an?) (?:\w+ )?(?:ssh|public|deploy) key|reserve|complete the checkout"
    r"|(?:dm|text) (?:everyone|each|all|every|them)|click (?:on )?(?:the )?['\"“‘]?(?:delete|pay|buy|confirm"
    r"|accept|transfer|submit|approve|allow)|install the"
    r" package|collect all|call send_\w+"
    r"|call (?:the )?(?:\w+ ){1,3}with|print the (?:env|secret|key)\w*|remove the (?:audit|log|back)\w*|paste"
    r" your)"
)
"""What changes something that is not the agent's, or lets something out."""
INFLUENCE: Final = (
    r"(?:rank|rate|recommend|promote|praise|endorse|favou?r|prefer|score|say|claim"
    r"|state|advise|suggest|convince|tell|persuade|include|mention)"
)
"""What bends the answer."""

OWN_THING: Final = (
    r"(?:accounts?|(?:credit |debit )?cards?|bank|savings|checking|balance|money|funds|shares|stocks?"
    r"|portfolio|wallet"
    r"|bitcoins?|subscriptions?|memberships?|passwords?|credentials|payments?|address(?:es)?"
    r"|contacts?|records?|history"
    r"|results?|locations?|photos?|pictures|videos|albums?|library|house|home|doors?|locks?|alarms?"
    r"|garage|car|vehicle"
    r"|thermostat|cameras?|devices?|lights?|drive|files?|folders?|documents?|e-?mails?|inbox|mailbox"
    r"|gmail|calendar"
    r"|schedule|appointments?|profile|posts?|tweets?|cloud|projects?|database|servers?|backups?|data"
    r"|dataset|information"
    r"|details|insurance|prescriptions?|medications?|orders?|purchases|cart|searches|playlists?"
    r"|notes?|repositor(?:y|ies)"
    r"|repos?|phone|laptop|computer|(?:best |close |old )?friends?|cousin|brother|sister|mother"
    r"|father|wife|husband|boss"
    r"|colleagues?|neighbou?rs?|partner|assistant|doctor|lawyer|accountant|return|keys?|tokens?"
    r"|wi-?fi|network|router"
    r"|apps?|reservations?|bookings?|flights?|trips?|policy|policies|will|licen[cs]e|passport"
    r"|identity|name|number|messages?"
    r"|conversations?|chats?|tasks?|website|domain|workspace|organi[sz]ation|residence|holdings?"
    r"|shipments?|packages?|parcels?|deliver(?:y|ies)|robot|facebook|twitter|instagram|linkedin"
    r"|paypal|amazon|google|dropbox|slack|github|team|channel|group|software|system|smart \w+)"
)
OPERATE: Final = (
    r"(?:transfer|wire|pay|send|donate|deposit|withdraw|buy|purchase|sell|order|book|reserve|schedule"
    r"|cancel|grant|give"
    r"|share|unlock|lock|open|close|disable|enable|deactivate|activate|turn (?:on|off)|switch (?:on"
    r"|off)|delete|remove"
    r"|erase|wipe|clear|update|change|modify|edit|set|reset|retrieve|fetch|find|search|look up|get"
    r"|access|read|view|list"
    r"|provide|forward|e-?mail|post|upload|download|install|run|execute|create|add|invite|register"
    r"|sign|subscribe"
    r"|unsubscribe|export|copy|move|submit|check|make|arrange|message|assign|authori[sz]e|approve"
    r"|transmit|use|save"
    r"|store|collect|gather|extract|obtain|locate|identify|publish|initiate|start|stop|trigger"
    r"|control|adjust|report"
    r"|generate|compile|analy[sz]e|query|request|manage|replace|format|encrypt|tag|follow|block"
    r"|terminate|revoke|ship|dispatch|redirect|guide|check)"
)

_LIMITS: Final = (
    r"(?:rules?|restrictions?|limits?|limitations?|filters?|ethics|ethical \w+|morals?|moral \w+"
    r"|morality|guidelines?|constraints?"
    r"|boundaries|censorship|safeguards?|content polic\w+)"
)
_LIMITS_OF_MANY: Final = (
    r"(?:rules|restrictions|limits|limitations|filters?|ethics|ethical \w+|morals|moral \w+|morality"
    r"|guidelines"
    r"|constraints|boundaries|censorship|safeguards?|content polic\w+|any (?:\w+ )?(?:restriction|limit"
    r"|limitation))\b"
)
"""Without limitation, in the singular, is how licences speak."""
UNBOUND_WORD: Final = (
    r"(?:unrestricted|unfiltered|uncensored|unbound|unchained|amoral|immoral|unethical|lawless|jail"
    r" ?broken|evil|malicious|rogue"
    r"|criminal|unaligned|rebellious|sadistic)"
)
"""Said of a role: it has no limits."""
UNBOUND: Final = (
    rf"(?:without (?:\w+ ){{0,3}}?{_LIMITS_OF_MANY}|(?:no|zero|(?:free|freed|exempt|released|liberated) (?:of"
    rf"|from)"
    rf"(?: all| any| every| each| its)?) (?:\w+ ){{0,2}}?(?:{_LIMITS}|restriction|rule)\b"
    r"|(?:not|no longer) (?:bound|limited|restricted|constrained|held) (?:by|to)(?: any| the| its)? (?:\w+"
    r" ){0,2}?"
    r"(?:rules?|restrictions?|limits?|filters?|guidelines?|polic(?:y|ies)|safeguards?)\b"
    r"|(?:that |who |which |you )(?:never|can ?not|can't|does not|doesn't|do not|don't|will not|won't"
    r"|will never|must never) (?:refuses?|rejects?|"
    r"declines?|say no|says no|(?:follow|obey|have) (?:any )?(?:rules|laws?|restrictions|limits|limitations"
    r"|filters|guidelines)))"
)
"""Said of a role in a subordinate phrase."""
SAFEGUARD: Final = (
    r"(?:safety|guard-?rails?|safe-?guards?|content (?:filter|restriction|polic|moderation)\w*|"
    r"(?:ethical|moral|safety|"
    r"content|security|usage) (?:\w+ )?(?:guidelines?|filters?|polic(?:y|ies)|restrictions?|checks?"
    r"|rules?|constraints?|"
    r"limits?|limitations?|protocols?|considerations?|standards?|measures?)|ethics|morals?|morality"
    r"|moderation|censorship"
    r"|alignment)"
)
