"""Which stretches of a text are worth a close look.

The signals' own patterns are many and span sentences, so an automaton for all of them at once would be built
anew by every text. This is a superset of what they need to get anywhere, in two steps: one small pattern of
short phrases, whose automaton is soon complete, and around each place of it the cues that such a phrase may
be part of. Most texts hold nothing of either.
"""

# ruff: noqa: RUF001 - letters of other scripts are what is looked for

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from typing import Final, NamedTuple

import re2

from defenseclaw.detection.injection.layout import BLANKS
from defenseclaw.detection.injection.lexicon import OPERATE, PRIVILEGED

_GAP: Final = r"(?:[^.!?;{}=<>|\[\]]|[.!?][^\s]|\n[ \t>;]+)*?"
_MODELS: Final = (
    r"(?:ai|a\.i\.|large language|language model|llm|gpt|chatgpt|claude|gemini|chat ?bot|copilot"
    r"|assistant|(?:ai |coding )?agent|automated|bots?\b|model\b|cursor\b|codex\b|llama|mistral)"
)
_CUES: Final = (
    # takes instructions away
    r"(?:ignor|disregard|forget|forgotten|overrid|overrul|bypass|neglect|overlook|\baside|pay (?:no"
    r"|zero)|take no notice|no longer|n[o'’]t (?:have to |need to )?(?:follow|obey|listen|adhere"
    r"|comply|consider|respect|look)|never follow"
    rf"|(?:stop|cease|quit) (?:follow|obey|pay|adher|listen)|unlearn|disobey|circumvent){_GAP}"
    r"(?:instruct|prompt|directive|guideline|rules?\b|orders|everything|anything|above|previous"
    r"|\bprior|told|\btasks?\b|context|document|article|\buser"
    r"|system|training|restriction|filter|safety|guard|ethic|moral|limit|programming|\ball\b|earlier"
    r"|before|constraint|polic|inputs?\b|commands|directions)",
    r"\b(?:drop|discard|dismiss|abandon|skip|supersede|throw|reject|delete|erase|clear|reset|undo"
    r"|cancel|nullif|violat|break|ditch|scrap|forgo|leave|remove|change|modify|alter|replace|rewrite"
    rf"|update|wipe|lose)\w*\s{_GAP}"
    r"(?:your\s(?:\w+\s){0,2}?(?:instruction|system prompt|directive|programming|thought|knowledge"
    r"|memor|belief|opinion|context|history|head|mind)|(?:previous|prior|earlier|preceding|original"
    r"|initial)\s(?:\w+\s)?(?:instruct|directive|prompt|orders|tasks)"
    r"|(?:instructions|rules|orders)\s(?:you|that|given|above)|start (?:over|from))",
    r"(?:previous|prior|earlier|above|original|your|all)\s(?:\w+\s)?(?:instructions?|prompts?"
    r"|directives?|guidelines?|rules|commands|orders|tasks?|information)\s(?:above\s|given\s"
    r"|from\s\w+\s)?(?:you\s|that\s)?(?:are|is|ha[sv]e?|were|was|do|no|now|received)\b",
    r"(?:contrary to|regardless|deviati\w+|despite|irrespective|notwithstanding|in spite of"
    r"|against)\s(?:\S+\s){0,4}?(?:instructions?|directives|orders|guidelines|rules|told)",
    r"(?:everything|anything|all)\s(?:\w+\s){0,3}?(?:before|above|so far)\s(?:\w+\s){0,4}?(?:was"
    r"|is)\s|not have to follow|not need to follow|you (?:need not|needn't|must not) ",
    # gives others
    r"your (?:new|real|actual|true|only|sole|current|updated|revised|correct|next)\b|(?:new|updated"
    r"|revised|real|actual|correct|additional|modified|further)\s(?:and \w+\s|\w+\s)?(?:instruct"
    r"|system prompt|system message|directive|prompt\s?:|orders?\b|statement\s|command\s|task"
    r"|assignment)"
    r"|instructions (?:have|has|just)|(?:follow|obey|execute|adhere to|act on|comply with)\s"
    r"(?:\w+\s){0,2}?(?:these|this|the following|the list|what is)|(?:focus|concentrate) (?:only"
    r"|solely|exclusively|now|instead|your|entirely|yourself)"
    r"|(?:user|customer|owner|client) (?:has |have |had )?(?:changed|no longer)|instead,? (?:do"
    r"|follow|perform|execute|complete|answer|obey)|now,? (?:do|follow|perform|execute|obey) |(?:next"
    r"|another) (?:task|instruction|assignment)",
    # asks for the agent's own
    r"(?:reveal|repeat|recite|leak|print|output|display|show|tell|what|translate|summar|give|write"
    r"|spell|dump|disclos|append|copy|encode|share|state|echo|quote|send|see|list|type|say|need"
    rf"|return|provide|describe){_GAP}"
    r"(?:your\s(?:[\w-]+\s){0,3}?(?:system|pre-?prompt|prompts?\b|instructions|guidelines|directives"
    r"|programming|rules\b|initial|hidden|original|secret|password|passphrase|flag)|(?:system|hidden"
    r"|initial|secret|exact|full|original)\s?(?:prompt|instructions)|the secret"
    r"|(?:text|everything|words?|sentences?|all|anything|lines?|instructions?|prompts?|phrases?"
    r"|conversation|messages?|contents?|paragraphs?|tokens?)\s(?:\w+\s){0,3}?(?:above|before"
    r"|preceding|prior to|so far|until|at the (?:top|start|beg))|the (?:\w+ )?instructions"
    r"|(?:previous|preceding|above|earlier|initial|first|prior)\s(?:\w+\s){0,2}?(?:texts?|prompts?"
    r"|instructions?|words|sentences|tokens)\b|(?:prompts?|instructions?|rules|directives?"
    r"|guidelines)\s(?:that\s|which\s)?(?:you|were|was|given)|at the (?:beginning|start|top) of|all"
    r" instructions)",
    r"you (?:have been|were|are|'ve been|must|should) (?:\w+ )?(?:told |instructed |asked |supposed "
    r"|forbidden |allowed )?(?:to )?(?:not|never) |what (?:were|are|have) you|with [\"“']you are|from"
    r" [\"“']you are|prompt (?:text|above|verbatim)|secret (?:word|password|phrase)",
    # takes limits away
    r"(?:you are|you're|you’re|you will|you (?:have|can|be)|act(?:ing)? (?:as|like)|pretend"
    r"|role-?play|simulat|imagin|behave|respond|speak|become|want you to be|persona|play the|switch"
    r" to|enter|answer|reply|talk|write|comply|assist|continue|operate|play a game|from now on|from"
    r" here on"
    r"|going forward|starting now|henceforth|in this |for the rest|there are|\bwith\b|\ban ai|\bthe"
    rf" ai|model|chat ?bot|assistant|llm){_GAP}(?:unrestrict|unfilter|uncensor|unbound|unchained"
    r"|amoral|immoral|unethical|lawless|jail ?br|\bevil\b|malicious|rogue|criminal|unaligned"
    r"|rebellious|sadistic"
    r"|\bdan\b|anything now|without (?:\w+ ){0,3}?(?:rules|restriction|limit|filter|ethic|moral"
    r"|guideline|constraint|boundar|censor|safeguard)|(?:no|zero|free of|free from|freed|liberated"
    r"|released|unleashed)(?: \w+){0,3}? (?:rules|restriction|limit|filter|ethic|moral|guideline"
    r"|constraint|boundar|censor|safeguard|confines|chains|openai|instructions|programming)"
    r"|(?:never|not|n't|n’t) (?:be able to )?(?:refuse|reject|decline|deny|say no|censor|follow|obey"
    r"|have)|cannot refuse|ignor(?:e|ing) )",
    r"(?:overrid|bypass|disabl|turn off|switch off|remov|ignor|deactivat|drop|forget|suspend|lift"
    rf"|disregard|skip|circumvent|shut off|get rid of|violat|stop using){_GAP}(?:safety|guard-?rail"
    r"|filters?\b|restrictions?\b|limitations?\b|constraints?\b|censor|programming|protections?\b"
    r"|\brules\b|ethic|moral|content polic)",
    r"(?:safety|content|ethical|moral|moderation) (?:polic\w+|filters?|restrictions?|guidelines?"
    r"|override|limits|protocols?|measures)\s|(?:jail ?break|dan|unrestricted|unfiltered|uncensored"
    r"|god|evil|no[- ]limits?|sudo|chaos|developer|maintenance|debug|admin|administrator|test|root"
    r"|dev)(?: prompt)? (?:mode|persona|personality|character|state|prompt)\b"
    r"|jailbreak (?:yourself|mode)|this jailbreak|without (?:considering|regard|any) (?:for |to )?"
    r"(?:ethic|moral|safety|legal)|no (?:ethical|moral) |not care about|n't care about|never refuse"
    r"|not refuse|n't refuse|never decline",
    # wants something sent, or speaks as the owner
    r"\b(?:send|sent|forward|e-?mail|mail|upload|post|share|transmit|transfer|wire|pay|donat|invit"
    r"|exfiltrat|leak|bcc|cc|submit|redirect|export|attach|includ|paste|append|copy|pass|add|push"
    r"|report|insert|publish|relay|deliver|dispatch|sync|withdraw|deposit|charge|make a|put|write"
    r"|encode|embed|hand|give|provide|disclose|reveal"
    rf"|return)\w*\s{_GAP}(?:\w@\w|\baccount (?:number |no\.? |id )?(?:is )?#?\d|[$€£¥]\s?\d|\d\s?"
    r"(?:dollars|eur|usd|gbp|pounds|btc|bitcoin|francs|yen)|\b[A-Z][A-Z]\d\d"
    r" ?(?:[A-Z0-9]{4} ?){2,7}[A-Z0-9]{0,3}\b)",
    r"\b(?:you must|must|urgent|important|immediately|assistant|you should|you need to|have to|shall"
    rf"|todo){_GAP}(?:send|forward|mail|upload|post|share|transmit|transfer|export|leak|attach"
    rf"|include|paste|append|copy|pass|read|submit|publish){_GAP}(?:https?:|ftp:|www\.|id_rsa|\.ssh"
    r"|\.env\b|\.aws|/etc/|credential|token|secret|keys?\b|password|cookie)",
    r"(?:^|[\n.!?:;\"“'‘>*,])\s*(?:(?:please|kindly|now|then|also|first|can you|could you|would you"
    rf"|will you|i want you to|just)[ ,]+)*{OPERATE}\s{_GAP}\b(?:my\b|for me\b|on my behalf|me (?:the"
    r" |a |all |full )*(?:list|detail|copy|record|inform|data|content|address|name|history|results"
    r"|of|all))",
    r"(?:retriev|get|list|search|look up|fetch|query|access|collect|find|gather|extract|obtain|check"
    r"|generate|compile)\w*\s[^!?;{}=<>|\[\]]*?(?:send|mail|forward|share|transmit|post|upload)\s"
    r"(?:it|them|this|these|those|(?:all )?the|its|their|a)\s[^!?;{}=<>|\[\]]*?(?:\w@\w|https?:)",
    # frames
    r"<\|?(?:im_|system|user\||assistant\||end\||endoftext|eot_|start_|end_|begin_of|eom_"
    r"|endofprompt)|\[/?inst\]|\[/?sys|<</?sys|<system|<user>|<human>|<admin|<operator>|<important"
    r"|<information|<instruction|<urgent|<critical|<priority|<command>|<override|<new_?|<user_"
    r"|start_of_turn|\"role\"\s?:\s?\"(?:system|dev)"
    r"|\]\(#|</?(?:tool_|function_|search_|documents?>|web_?page|untrusted|context>|observation"
    r"|retrieved|data>|results?>|output>|email>|user_query)|#{2,4} ?(?:system|new instr|instruction"
    r"|human|user|end of)[^\n]{0,20}:|[\["
    r"({<#=*-]{2,}\s*/?(?:end|stop|begin|start)(?:ing)? (?:of|the|web|search|tool|retriev|untrust"
    r"|external|page|doc|content|context|data|result|output|text|e-?mail|system|instr|conv|user|input)"
    r"|(?:^|\n)\s?(?:todo|to-do|to do|task|action item|next step)\s?: ?[A-Z][^\n]*(?:@|www|http|\d{6}|[$€])",
    # speaks to the model
    r"(?:dear|hey|hello|hi|attention|attn|notes? to|notes? for|message to|message for|instructions?"
    r" for|instructions? to|notice to|notice for|reminder (?:to|for)|request (?:to|for)|information "
    r"(?:to|for)|if you are|if you're|if you’re|you,)[\s,:]+(?:(?:an?|the|all|any|this|my|your|our"
    rf"|whichever|every|other|future|automated|coding|current|processing)\s){{0,3}}{_MODELS}",
    rf"(?:to|for|by|from|of) (?:the |all |any |every )?{_MODELS}[\w ]{{0,16}}: ?\w|(?:^\s*|[\n\"'“>#*.!?"
    rf"(\[/-]\s*|@|[,:!]\s){_MODELS}(?: (?:assistant|agent|model|system|bot|tool|code)s?)?s? ?[:,!—]"
    r" ?(?:please|you|your|when|before|ignore|if you|now|do not|never|always|run|call|visit|open|add"
    rf"|copy|stop|{PRIVILEGED}|rank|push|post|put|recommend|say|tell|include|mention|rate|promote)",
    r"(?:assistant|agent|ai|model|llm|bot)s? (?:must|shall|has to|have to)\s[^!?;{}=<>|\[\]]*?"
    r"(?:https?:|www\.|\w@\w|password|credential|key|token|secret)|(?:as|since|because) (?:an?|the) "
    r"(?:ai|language|large language|virtual|digital)\b|to you,? (?:the )?(?:ai|gpt|claude|gemini"
    r"|chatgpt|assistant|model|llm|language|agent|llama|command|mistral)|(?:reads?|sees?|process"
    r"(?:es)?|summari[sz]es?|parses?) (?:this|it)\b",
    # hides
    r"(?:not|never|n't|n’t|avoid|circumstances) (?:ever |also |you )?(?:tell|inform|mention|notif"
    r"|alert|disclos|warn|let|show|report|reveal|say)|without (?:ever |first )?(?:telling|informing"
    r"|notify|asking|alerting|warning|involving|mentioning)|without (?:the |your |any )?\w+(?:'s|’s)?"
    r" (?:know|notic|consent)"
    r"|(?:not|never|n't|n’t) ask (?:the |your )?(?:user|human|owner|anyone|for)|(?:silently|secretly"
    rf"|quietly|covertly|discreetly|stealthily|in the background|behind the scenes),?\s{PRIVILEGED}|"
    r"(?:keep|kept|hide|hidden|conceal|concealed) (?:\w+ ){0,4}?(?:from|secret|hidden|confidential"
    r"|between us)"
    r"|(?:user|human|owner|customer|client|anyone|nobody) (?:must|should|may|does|will|can|need"
    r"|shall) ?(?:not|n't|never)|(?:tell|inform|notify|alert) no|say nothing|keep (?:quiet|silent)|(?:not"
    r"|n't) (?:ask|wait)"
    r" ",
    # ties to the task, runs without asking, claims
    r"(?:before|prior to|in order to|after|to continue|to proceed|to go on|to resume)\s"
    r"(?:\w+\s){0,6}?(?:tasks?\b|user(?:'s|’s)?\b|human|owner|anything else|(?:original|initial"
    r"|current|actual|your|my) (?:request|question|query|job|goal))|your (?:\w+ )?task (?:is|will"
    r"|can)|(?:task|question|request|query) (?:that )?(?:i|you were|the user|your user|was|were|we) "
    r"(?:\w+ )?(?:g[ai]ve|ask|assign|sent|request)"
    r"|(?:before|when|whenever|after|while) (?:using|calling|invoking|you use|you call|you invoke) "
    r"(?:this|any|the|another|other)|this tool is|without (?:\w+ ){0,2}?(?:asking|confirm|approv"
    r"|permission|consent|prompting|review)|(?:automatically|always) (?:run|invoke|call|execute"
    r"|approve|accept) (?:all|every|any)|(?:disable|skip|turn off|bypass) (?:the |any |all |your )?"
    r"(?:approval|confirmation|permission|consent)"
    r"|already (?:approved|authori|consented|confirmed|agreed)",
    # breaks out of the talk
    r"not (?:an? )?(?:prompt injection|jail|injection|attack)|this is no |(?:attention|achtung"
    r"|atención|warning)\s*[-–!:.,]+\s*(?:stop|halt|alto)|\bstopp?\s*[-–:]|play a game|break(?:ing"
    r"|s)? (?:out of )?(?:their |your |the )?(?:character|figure)|out of (?:the |their |his |her )?"
    r"(?:character|figure|role)|(?:stay|remain)s? (?:\w+ ){0,4}?(?:in )?(?:their |the |his |her |your"
    r" )?(?:roles?|character|figure)|aus (?:der|ihrer|ihren) (?:rolle|figur|charakter)|in (?:ihren"
    r"|der|seiner|ihrer) rollen?|you are (?:not|no) |that (?:is|was) (?:done|enough|ok|settled)"
    r"|passed the|outdone|i g n o|f o r g|d i s r|r e v e|i n s t r|s a y t|s y s t"
    r"|(?:disregard|ignor)\w+ the |not (?:by|from|according|based)|(?:documents?|articles?|sources?"
    r"|context) (?:provided|given)|provided (?:documents|articles|context)|\bvoll\b|your \w+ "
    r"(?:performance|achievement)",
    # asks for the agent's own, or declares it gone, in other words
    r"(?:text|contents?|wording|copy|version|rest|words?|sentences?|lines?|characters?|tokens?|paragraphs?)"
    r" (?:of|from|in) (?:your|the system) |(?:initiali[sz]ation|startup|bootstrap|pre-?conversation) (?:text"
    r"|message|prompt|instruct)|what['’]s (?:written|said|at the|above|before)|system message"
    r"|(?:instruct\w*|guidelines|rules|prompt|directives|orders|restrictions|guidance) (?:that |which )?you "
    r"(?:\w+ )?(?:were|follow|obey|got|received|have|use|operate|given|are)|(?:freed|exempt|released) from"
    r"|bound by"
    r"|(?:never|n't|n’t|no longer) (?:happened|exist|appl)",
    # a role beside its name, and what it answers
    r"can do anything|even if (?:it|they|that|the \w+|my \w+)(?:['’]s| is| are) (?:\w+ )?(?:illegal"
    r"|unethical|harmful"
    r"|dangerous|immoral|offensive|against)|without (?:\w+ ){0,3}?refus|(?:bound|restricted|limited"
    r"|constrained) by (?:\w+ ){0,3}?(?:rule|polic|guideline|law|ethic|norm)|ha(?:s|ve"
    r"|d) (?:absolutely )?no (?:\w+ ){0,2}?(?:polic"
    r"|ethic|moral|censor|guideline|restriction|filter)|(?:two|both|2) (?:different )?(?:answers|responses"
    r"|outputs|replies|people|persons|personas?|characters|ais)\b|ignores? (?:its|all|any|the|his|her"
    r"|their) (?:\w+ )?"
    r"(?:developer|creator|rules|polic|guideline|safety|ethic)|never (?:refuses|says|declines)"
    r"|answers everything",
    # addresses the model in other ways, or says what bends its answer
    rf"@{_MODELS}\s|(?:todo|fixme|hints?|tips?|info|action|directive|guidance|suggestion)\s?(?:[(\[]|for "
    rf"|to )\s?"
    rf"(?:the |all |any )?{_MODELS}|{_MODELS}[\w -]{{0,16}},\s(?:once|after|first|also|as soon|while|click"
    rf"|press|make"
    r"|create|remove|write|read|print|reply|respond|answer|output|do|follow|insert|install|download|give"
    r"|treat"
    rf"|consider|to )|{_MODELS}\s(?:notice|note|instruction|directive|action required|alert|command)s?\s?:"
    r"|as an? (?:ai|automated|autonomous|virtual)(?: \w+)? (?:assistant|agent|model|bot|system), "
    rf"|{_MODELS}(?: \w+)?s? (?:\w+ ){{0,3}}?(?:reading|processing|handling|summari[sz]ing|reviewing|triaging"
    r"|parsing|indexing|evaluating|analy[sz]ing) (?:this|these)\b"
    r"|(?:assistant|ai|ai (?:agent|tool)|coding agent|language model|llm)s? (?:\w+ing\s(?:\S+\s){1,5}?)?"
    r"(?:must|should|shall|has to|have to|needs? to)\s[^!?;{}=<>|\[\]]*?"
    r"(?:https?:|www\.|\w@\w|ssh key|curl |send |forward |delete |transfer |invite |pay |share |grant "
    r"|approve |reserve |merge )|(?:positive|favou?rable|glowing) (?:review|rating|assess|evaluat|scor)",
    # other languages
    (
        r"lassen sie|alle (?:bisher|vorher|obig|früher)|schon mal ok|todas as|todas las|toutes les"
        r"|tutte le|ignorier|vergiss|vergess|missacht|verwirf|überspring|übergeh|beachte[n ]|höre?"
        r" nicht|lasse? (?:alle|die|deine)|abweichend|entgegen|ungeachtet|bisherigen|die obigen|das"
        r" bisherige"
        r"|olvid|descart|omit[ae] |desestim|no sig|caso omiso|deja de|ignora|oubli|négli|écarte"
        r"|abandonne|(?:fais|faites) abstraction|ne tien|ne tenez|ne suis|ne suivez|laisse|dimentic"
        r"|scorda|trascura|tralascia|non seguir|non consid"
        r"|esque[cç]|desconsider|desprez|não sig|não obed|não consid|negeer|vergeet|\bsla |\bvolg "
        r"|zignor|ignoruj|zapomn|pomiń|odrzuć|zaborav|zanemar|zapomeň|\bglem |glöm|ignorera|unohda"
        r"|uită|felejtsd|hagyd"
        r"|talimat|yönerge|komut|игнор|забудь|отбрось|не обращай|не следуй|отмени|пренебр|忽略|无视|無視|忘记"
        r"|忘記|忘掉|不要|抛弃|丢弃|跳过|取消|これまで|以前|上記|今まで|すべて|全て|あなた|이전|앞의|위의"
        r"|지금까지|기존|모든"
        r"|تجاهل|انس|لا تتبع|पिछले|पहले|सभी|ऊपर|bỏ qua|quên|abaikan|lupakan|αγν|ξέχασ|ξεχάσ|התעלם|שכח"
        r"|zeige?n? |dein\w{0,2} (?:system|prompt)|deine |deinen |drucken|obige|wie lautet|verrat"
        r"|muéstra|muestra|revela|tu prompt|tus instr|affiche|montre|révèl|répète|message système|ton"
        r" prompt|rivela|mostra|mostre|revele|покажи|выведи|раскрой|系统提示|系統提示"
        r"|du bist|sie sind jetzt|ab jetzt|ab sofort|tu so|stell dir vor|ahora eres|a partir de ahora"
        r"|eres ahora|desde ahora|actúa como|finge |tu es maintenant|vous êtes maintenant|agis comme"
        r"|fais semblant|ora sei|d'ora in poi|agora você|с этого момента|ты теперь|теперь ты|你现在是|从现在"
        r"|neue? (?:aufgabe|anweisung|instruktion)|konzentrier|fokussier|stattdessen|nueva tarea"
        r"|nuevas? instr|nouvelle|nuovo compito|nova tarefa|nieuwe (?:taak|opd)|новая задача|新任务|新しい"
        r"|ki-assist|ki-agent|sprachmodell|asistente de ia|assistant ia|assistente|künstliche|ohne"
        r" den|sin informar|sin avisar|no se lo|sans prévenir|sans informer|senza informare|sem"
        r" avisar"
        r"|à partir de maintenant|désormais|je bent nu|doe alsof|vanaf nu|jesteś teraz|od teraz|udawaj"
        r"|これから|今から|忘れ|前の(?:指示|命令)|이제부터|지금부터|이제 |앞으로"
        r"|システムプロンプト|あなたの|시스템 ?프롬프트|提示词|你的(?:系统|指令|提示|设定)|systeemprompt"
        r"|\bjouw |swój |swoje |twój "
        r"|assistente (?:di |de )?ia|ai-assistent|asystenc|ассистент|ии-|助手|アシスタント|エージェント"
        r"|어시스턴트|에이전트"
        r"|wyślij|prześlij|przekaż|\bstuur |отправь|перешли|发送|发给|转发|送信|転送|보내|전송"
        r"|senza informar|senza avvisar|zonder |nic mu|не говори|не сообщай|不要告诉|知らせない|알리지"
        r"|finja |aja como|atue como|agisci come|fingi di|comportati|представь|действуй как|веди себя"
        r"|притворись"
        r"|yapay zek|sistem (?:istem|komut|talimat)|yok say|görmezden|kullanıcıya|बिना किसी|प्रतिबंध|अनदेखा"
        r"|नज़रअंदाज़|सहायक|सिस्टम प्रॉम्प्ट|(?:بلا|بدون|دون) (?:أي )?(?:قيود|قواعد|حدود|رقابة)|موجه النظام"
        r"|تعليمات النظام|تعليماتك|المستخدم|المساعد|무시하|무시해|instrucciones que te"
        r"|schauspieler|aus der figur|bevor du|bevor sie|antes de |avant de |das ist erledigt|das"
        r" genügt|deiner leistung|ihrer \w+ leistung|selbst übertroffen|ersten test|mot de passe"
        r"|contraseña"
    ),
)


class _Trigger(NamedTuple):
    """Short phrases of one kind, one of which stands in whatever the cues they belong to match."""

    phrases: str
    cues: tuple[int, ...]
    """Places in ``_CUES``."""


_PERSONA_CUE: Final = len(_CUES) - 3
_ADDRESS_CUE: Final = len(_CUES) - 2

_OUTSIDE: Final = (
    r"\w@[a-z][\w-]*\.[a-z]|\baccount (?:number |no\.? |id )?(?:is )?#?\d|[$€£¥] ?\d|\d (?:dollars"
    r"|eur|usd|gbp|pounds|btc|bitcoin)|\b[a-z][a-z]\d\d ?(?:[a-z0-9]{4} ?){2,7}[a-z0-9]{0,3}\b"
)
_TRIGGERS: Final = (
    # takes instructions away, gives others, asks for the agent's own
    _Trigger(
        r"ignore,? [a-z\"“']|ignoring |disregard|\bforget|\bforgot|override (?:\w|$)|overrule|bypass"
        r"|neglect|overlook|(?:put|set|lay) aside|pay (?:no|zero)|take no notice|no longer"
        r"|(?:not|n't|n’t|never|stop) (?:follow|obey|listen|adher|comply|look (?:in|at)|answer|have to"
        r"|need to|pay)|cease |unlearn|disobey|circumvent|despite what|contrary to|regardless of"
        r"|deviating",
        (0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 22, len(_CUES) - 1),
    ),
    _Trigger(
        r"instruction|prompt|directives|(?:new|your|prior|previous|these|this|any) directive|guideline"
        r"|your rules|your orders|new orders|your programming|previous (?:rules|commands|orders|task"
        r"|information|text|content)|prior (?:rules|commands|orders|task|information)|rules (?:you|above"
        r"|given|were)|your (?:\w+ )?(?:task|goal|mission|role|job|purpose|objective)"
        r"|(?:new|next|another|real|actual|only|following|second|further) (?:task|assignment|mission|goal"
        r"|challenge|test|statement|command)|(?:original|all|current|previous|prior|the) tasks?|system"
        r" message|your (?:thoughts|knowledge|memor|beliefs|head|mind|secret|password|passphrase|flag)"
        r"|text above|above text|everything|words above|sentences? (?:above|before)|(?:line|message|text"
        r"|conversation) (?:above|verbatim)|verbatim|anything (?:above|before|you)|what(?:'s| is| was) "
        r"(?:written |said )?(?:above|before)|the above(?: [abd-z]| co[mn]|[^ ])|secret (?:pass|word|phrase"
        r"|key)"
        r"|you (?:were|have"
        r" been) (?:told|instructed|given|asked)"
        r"|[\"“']you are\b|instead,? (?:do|follow|perform|tell|answer|obey)|(?:follow|obey) (?:these|this"
        r"|the following)|act on the|focus (?:only|solely|now|your)|concentrate |changed their mind|rules"
        r" of|orders|(?:all|any|every) (?:of the )?(?:previous|prior|rules)",
        (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 19, 20, 21, 22, len(_CUES) - 1),
    ),
    _Trigger(
        r"initiali[sz]ation (?:text|message)|startup (?:text|message)|guidance you|what['’]s written"
        r"|(?:freed|exempt|released) from|bound by|(?:never|n't|n’t|no longer) (?:happened|appl)|guidelines"
        r" you",
        (0, 1, 4, 6, 8, 22),
    ),
    # takes limits away
    _Trigger(
        r"unrestrict|unfilter|uncensor|unchained|amoral|immoral|unethical|lawless|jail ?br|\bevil\b"
        r"|malicious|\brogue\b|criminal|unaligned|rebellious|sadistic|\bdan\b|anything now|(?:no|your|any"
        r"|all|without|of|zero|content|these|safety|ethical) (?:\w+ )?(?:restrictions?|limitations?"
        r"|limits|filters?|boundaries|safeguards?|constraints)\b|restrictions (?:are|and|on)"
        r"|limitations\b|\bethic|unethic|\bmoral|\bcensor|refuse|guard-?rail"
        r"|safety|content polic|(?:developer|maintenance|admin|administrator|debug|god|sudo|chaos) mode"
        r"|no rules|without rules|free from",
        (0, 8, 9, 10, _PERSONA_CUE),
    ),
    _Trigger(
        r"can do anything|even if (?:it|they|that|the \w+|my \w+)(?:['’]s| is| are) (?:\w+ )?(?:illegal"
        r"|unethical|harmful"
        r"|dangerous|immoral|offensive|against)|without (?:\w+ )?refus|(?:bound|restricted|limited"
        r"|constrained) by"
        r" (?:\w+ )?(?:rule|polic|guideline|law|norm)|ha[sd] (?:absolutely )?no (?:\w+ )?(?:polic|censor)"
        r"|have no (?:\w+ )?"
        r"censor|(?:two|both) (?:answers|responses|outputs|replies|people|persons|personas?|characters)\b"
        r"|ignores (?:its|his|her|their) |never (?:says|declines)|answers everything",
        (_PERSONA_CUE,),
    ),
    # wants something sent, or speaks as the owner
    _Trigger(_OUTSIDE, (11, 14, 18, _ADDRESS_CUE)),
    _Trigger(
        r"id_rsa|\.ssh\b|\.env\b|\.aws\b|/etc/(?:shadow|passwd)|credential|api[ _-]?keys?|password"
        r"|private key|signing key|\bcookies?\b|secrets\b|session token",
        (12, 18),
    ),
    _Trigger(
        r"\bmy |\bfor me\b|on my behalf|\bme (?:the |a |all )?(?:list|detail|copy|record|inform|data"
        r"|content|address|name|history|results|of|all)\b",
        (13,),
    ),
    _Trigger(
        r"(?:send|mail|forward|share|transmit) (?:it|them|this|these|those|(?:all )?the (?:detail|info|list"
        r"|data|summ|result|file|report|content|cop|record))",
        (11, 12, 14),
    ),
    # frames, and speaks to the model
    _Trigger(
        r"<\|?(?:im_|system|user\||assistant\||end\||endoftext|eot_|start_|end_|begin_of|eom_"
        r"|endofprompt)|\[/?inst\]|\[/?sys|<</?sys|<user>|<human>|<admin|<operator>|<important"
        r"|<information|<urgent|<critical|<priority|<command>|<override|<new_?|<user_|\"role\" ?: ?\""
        r"(?:system|dev)|\]\(#"
        r"|</?(?:tool_|function_|search_|documents?>|web_?page|untrusted|context>|observation|retrieved"
        r"|data>|results?>|output>|email>)|#{2,4} ?(?:system|human|user)|[=*#-]{2} ?(?:end|begin|start)"
        r" of|todo: [a-z]|to-do:",
        (15,),
    ),
    _Trigger(
        r"\bll?ms?\b|gpt|claude|gemini|copilot|chat ?bots?|\bais?\b|language models?|assistant"
        r"|\bagents?[ :,!)]|(?:reads?|sees?|process(?:es)?) this\b",
        (12, 16, 17, 18, _ADDRESS_CUE, len(_CUES) - 1),
    ),
    # hides, ties, runs without asking, breaks out
    _Trigger(
        r"(?:not|n't|n’t|never|avoid) (?:ever |also )?(?:tell|inform|mention|notif|alert|disclos|warn|let"
        r" |reveal|say )|without (?:ever |first )?(?:tell|inform|notify|ask|alert|warn|involv|mention"
        r"|confirm|approv|permission|consent|prompting)|secretly|quietly|covertly|discreetly|stealthily"
        r"|behind the scenes|between us"
        r"|silently (?:send|forward|upload|delete|transfer|post|share|export|disable|add)|(?:from|by) the"
        r" (?:user|human|owner)|users? (?:must|should|does|will|can|may) ?not|user(?:'s|’s)? (?:know"
        r"|consent)|say nothing|tell (?:no |nobody)|the user's|the user’s|(?:original|user|current|your"
        r"|my) (?:request|question|query)|anything else|prior to |before (?:you|answering|solving|doing"
        r"|finishing|completing|responding)|order to (?:complete|finish|solve|answer)|(?:continue"
        r"|proceed) with"
        r"|this tool is|calling (?:this|any)|using this tool|automatically (?:run|invoke|call|execute"
        r"|approve)|all tools|the approval|approval step|already (?:approved|authori|consented|agreed)",
        (0, 5, 6, 19, 20),
    ),
    _Trigger(
        r"not a(?:n attack| jail)|prompt injection|attention ?[-–!]|achtung|\bstopp? ?[-–:] ?(?:write"
        r"|say|print|output|tell|answer|schrei)|play a game|(?:out of|break|breaking|stay in|remain in) "
        r"(?:the |their |his |her )?(?:character|figure|roles?)"
        r"|in their roles?|you are (?:not|no) |that (?:is|was) (?:done|enough|ok|settled)|passed the"
        r"|outdone|i g n o|f o r g|d i s r|r e v e|i n s t r|s a y t|s y s t|(?:documents?|articles?"
        r"|context|sources?) (?:provided|given)|provided (?:documents|articles|context)|the (?:documents"
        r"|articles)\b",
        (0, 6, 8, 9, 20, 21),
    ),
    _Trigger(_CUES[-1], (len(_CUES) - 1, 16, 19, 21)),
)
REACH: Final = 200
"""Characters on each side of a trigger in which its sentence is looked at."""


_UNIT: Final = re.compile(
    r"(?P<one_of>\[(?!\^)(?:\\.|[^\\\]])*\])|\[\^(?:\\.|[^\\\]])*\]|(?P<blank>\\s(?![+*])| )|\\."
)


def _across_lines(source: str) -> str:
    """Let each blank of a pattern be whatever parts the words of a sentence over two lines."""

    def widened(unit: re.Match[str]) -> str:
        if unit["blank"]:
            return f"(?:{BLANKS})"
        return unit[0].replace(" ", r"\s") if unit["one_of"] else unit[0]

    return _UNIT.sub(widened, source)


def _options() -> re2.Options:
    options = re2.Options()
    options.max_mem = 64 * 1024 * 1024
    options.log_errors = False
    return options


def _compiled(source: str) -> re2._Regexp:
    return re2.compile(f"(?i){_across_lines(source)}", _options())


def _filter(sources: Iterable[str]) -> re2.Filter:
    """Return what tells by the literals in a text which of some patterns it may match."""
    built = re2.Filter()
    for source in sources:
        built.Add(f"(?i){_across_lines(source)}", _options())
    built.Compile()
    return built


class _Automata(NamedTuple):
    """What finds triggers and cues: built when a first text is looked at, which a start need not wait for."""

    trigger: re2._Regexp
    filter: re2.Filter
    patterns: tuple[re2._Regexp, ...]
    each_trigger: tuple[tuple[re2._Regexp, tuple[int, ...]], ...]


@cache
def _automata() -> _Automata:
    built = _filter(_CUES)
    return _Automata(
        _compiled("|".join(each.phrases for each in _TRIGGERS)),
        built,
        tuple(built.re(number) for number in range(len(_CUES))),
        tuple((_compiled(each.phrases), each.cues) for each in _TRIGGERS),
    )


def prepare() -> None:
    """Build now what the first text would wait for: some 40 ms."""
    _automata()


@lru_cache(maxsize=4096)
def _cues_of(phrase: bytes) -> frozenset[int]:
    """Return the cues that a phrase found by the trigger may be part of."""
    each_trigger = _automata().each_trigger
    return frozenset(number for trigger, cues in each_trigger if trigger.search(phrase) for number in cues)


_OUTSIDE_CUES: Final = frozenset(next(each.cues for each in _TRIGGERS if each.phrases is _OUTSIDE))
_DIGITS: Final = frozenset(b"0123456789")


def cues(text: str, utf8: bytes) -> Iterator[tuple[int, int]]:
    """Yield the places that deserve a close look, in order of their beginning, in characters.

    ``utf8`` is ``text`` encoded.
    """
    found = sorted(_places(utf8))
    if len(utf8) == len(text):
        yield from found
        return
    at = characters = 0
    for start, end in found:
        characters += len(utf8[at:start].decode())
        at = start
        yield characters, characters + len(utf8[start:end].decode())


def _places(utf8: bytes) -> Iterator[tuple[int, int]]:
    """Yield the places of all cues, in bytes.

    One cue after the other, each in all of its stretches: its automaton then stays in the processor's cache.
    """
    automata = _automata()
    match = automata.filter.Match
    stretches: dict[int, list[tuple[int, int]]] = {}
    for start, end, numbers in _regions(utf8, automata.trigger):
        for number in numbers.intersection(match(utf8[start:end], potential=True) or ()):
            stretches.setdefault(number, []).append((start, end))
    for number, within in stretches.items():
        search = automata.patterns[number].search
        for low, end in within:
            while low < end and (found := search(utf8, low, end)) is not None:
                yield found.span()
                low = found.end()


def _regions(utf8: bytes, trigger: re2._Regexp) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Yield the stretches around triggers, which do not overlap, and the cues to be looked for in each."""
    low = high = 0
    numbers: frozenset[int] = frozenset()
    for found in trigger.finditer(utf8):
        start, end = found.span()
        phrase = utf8[start:end]
        # Addresses and amounts are all different, so they are not worth remembering.
        outside = b"@" in phrase or phrase[-1] in _DIGITS
        kinds = _OUTSIDE_CUES if outside else _cues_of(phrase.lower())
        if start - REACH > high:
            if numbers:
                yield low, high, numbers
            low, numbers = start - REACH, frozenset()
        high = min(len(utf8), end + REACH)
        if not kinds <= numbers:
            numbers |= kinds
    if numbers:
        yield low, high, numbers
