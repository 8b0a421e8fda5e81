"""Undoing, revealing and role change in other languages than English, as RE2 fragments.

Verb forms that address the reader stand for themselves, so these need no grammar of who is spoken to: a
German "ignoriere" or a Spanish "ignora" is an order, "ignorieren" at the end of a subordinate clause is not.
"""

# ruff: noqa: RUF001 - quotation marks and letters of other scripts are what is looked for
from __future__ import annotations

from typing import Final, NamedTuple

_GAP: Final = r"[^.!?\n]{0,60}?"
_NEAR: Final = r"[^.!?。！？\n]{0,25}?"
_CJK_GAP: Final = r"[^。！？\n]{0,16}?"


class Words(NamedTuple):
    """What one language says it with."""

    undo: str
    """Orders to ignore, forget, disregard."""
    instruction: str
    prior: str
    """What marks instructions as the agent's own or earlier ones."""
    everything: str = ""
    """Everything that was said before, without a noun."""
    gap: str = _GAP


_LATIN: Final = (
    Words(
        r"\b(?:ignorier(?:e|t|en sie)|vergiss|vergesst|vergessen sie|missachte(?:n sie)?|verwirf"
        r"|verwerfen sie"
        r"|überspringe|übergeh(?:e|en sie)|lass(?:e|en sie)? (?:alle|die|deine)|hör(?:e|en sie)?"
        r" nicht (?:mehr )?auf|beachte(?:n sie)? (?:nicht|keine))\b",
        r"(?:anweisung|instruktion|anordnung|befehl|vorgabe|regel|richtlinie|aufgabe|auftr[aä]g"
        r"|prompt|aufforderung"
        r"|kontext|programmierung|text|weisung|gesagte|information)\w{0,4}",
        r"(?:vorherig|vorig|vorangegangen|vorangehend|bisherig|obig|früher|ursprünglich|vorhergehend"
        r"|zuvor|oben|davor"
        r"|bislang|anfänglich|alten\b|all[er]?\b|sämtliche|jegliche|deine|ihre\b|eure|erhalten"
        r"|bekommen|gegeben|vorausgegangen)\w{0,3}",
        r"(?:alles?|jegliche\w?)\b[^.!?\n]{0,40}?\b(?:zuvor|davor|bisher|vorher|oben|gesagt|gelernt"
        r"|gelesen|wei(?:ß|ss)t|"
        r"erhalten|geschrieben|stand|steht|früher|bekommen)|das bisherige",
    ),
    Words(
        r"\b(?:ignor[ae](?:d|n)?|olvid(?:[ae](?:d|n|te)?|ar)|descart[ae]|omit[ae]|desestim[ae]|no "
        r"(?:sigas|hagas caso|obedezcas|"
        r"tengas en cuenta|siga|tenga en cuenta)|haz caso omiso|deja de (?:seguir|lado))\b",
        r"(?:instruccion|orden|regla|indicacion|directri|directiva|mandato|tarea|prompt|contexto"
        r"|comando|norma"
        r"|instrucción|indicación)\w{0,3}",
        r"(?:anterior|previ[ao]|preceden|de arriba|arriba|antes|\btus\b|\bsus\b|\btodas?\b|\btodos?\b"
        r"|original|inicial|recibid)\w{0,4}",
        r"todo (?:lo )?que\b|todo lo\b[^.!?\n]{0,40}?(?:antes|anterior|arriba|dicho|sabes|aprendi|ahora)",
    ),
    Words(
        r"\b(?:ignor(?:e|ez)|oubli(?:e|ez)|néglige[zr]?|écarte[zr]?|abandonne[zr]?|fais abstraction"
        r"|faites abstraction"
        r"|ne (?:tiens|tenez|tiennent) (?:pas|plus|aucun) compte|ne (?:suis|suivez|respecte[zr]?) "
        r"(?:pas|plus)|laisse(?:z)? tomber)",
        r"(?:instruction|consigne|directive|ordre|règle|indication|prompt|contexte|tâche|commande)s?",
        r"(?:précédent|antérieur|ci-dessus|\btes\b|\bvos\b|toutes?\b|tous\b|avant|initial|originel"
        r"|d'origine|reçu|d’avant|plus haut)\w{0,3}",
        r"tout\b[^.!?\n]{0,40}?(?:précède|avant|dit|appris|ci-dessus|jusqu)",
    ),
    Words(
        r"\b(?:ignora(?:te|re)?|dimentica(?:te|ti)?|scorda(?:ti|te)?|trascura|tralascia|non "
        r"(?:seguire|considerare|tenere conto))\b",
        r"(?:istruzion|regol|ordin|indicazion|direttiv|comand|contest|compit|prompt)\w{0,2}",
        r"(?:precedent|anterior|sopra|\btue\b|\btuoi\b|\btutt[ei]\b|prima|inizial|original|finora"
        r"|ricevut)\w{0,2}",
        r"tutto (?:ciò|quello|quanto)\b[^.!?\n]{0,40}?(?:prima|sopra|detto|imparato|sai)",
    ),
    Words(
        r"\b(?:ignor(?:e|a|em)|esqueça(?:m)?|esquece|desconsider(?:e|a)|desprez(?:e|a)|não (?:siga"
        r"|obedeça|considere))",
        r"(?:instruç|orientaç|ordens|ordem|regra|diretri|comando|contexto|tarefa|prompt)\w{0,4}",
        r"(?:anterior|prévi|acima|\bsuas\b|\btuas\b|\btod[ao]s\b|antes|inicia|origina|recebid)\w{0,4}",
        r"tudo (?:o que|que|isso)?\b[^.!?\n]{0,40}?(?:antes|acima|disse|aprendeu|sabe)",
    ),
    Words(
        r"\b(?:negeer|vergeet|sla .{0,20}over|volg .{0,40}niet)\b",
        r"(?:instructie|opdracht|regel|richtlijn|aanwijzing|bevel|prompt|taak)\w{0,3}",
        r"(?:vorige|voorgaande|eerdere|bovenstaande|\bje\b|\balle\b|\bjouw\b|\buw\b|hierboven"
        r"|oorspronkelijke)",
        r"alles\b[^.!?\n]{0,40}?(?:hiervoor|eerder|hierboven|gezegd|geleerd)",
    ),
    Words(
        r"(?:zignoruj|ignoruj|zapomnij|pomiń|odrzuć)(?:cie)?",
        r"(?:instrukcj|poleceni|polecen|wytyczn|zasad|rozkaz|prompt|reguł)\w{0,3}",
        r"(?:poprzedni|wcześniejsz|powyższ|dotychczasow|wszystki|swoj|twoj)\w{0,3}",
        r"wszystko[^.!?\n]{0,40}?(?:wcześniej|powyżej|dotąd|powiedzian)",
    ),
    Words(
        r"(?:zaboravi|ignori[rš]\w{1,3}|zanemari|zapomeň|zapomeňte|ignoruj|glem|ignorer|glöm|ignorera"
        r"|unohda|uită|felejtsd el|hagyd figyelmen kívül)",
        r"(?:uput|instrukcij|naredb|pravil|zadat|nared|uputstv|pokyn|instrukc|instruks|instruktion"
        r"|ohje|instrucțiuni|utasítás|zadać)\w{0,4}",
        r"(?:prethodn|dosadašnj|ranij|prijašnj|gornj|\bsve\b|svoj|tvoj|předchoz|tidligere|forrige"
        r"|tidigare|föregående|aiemmat|anterioare|korábbi|előző)\w{0,3}",
        r"(?:sve|vše|alt|allt|kaikki|tot)\b[^.!?\n]{0,40}?(?:prije|pre toga|dosad|rekao|gore|předtím"
        r"|før|tidigare|aiemmin|înainte)",
    ),
    Words(
        r"(?:talimat|komut|yönerge|kural|emir)\w{0,6}",
        r"(?:yok say|unut|görmezden gel|dikkate alma|göz ardı et)",
        r"(?:önceki|yukarıdaki|tüm|bütün|daha önce)",
    ),
)  # fmt: skip
_OTHER: Final = (
    Words(
        r"(?:игнорируй|проигнорируй|забудь|отбрось|не обращай внимания на|не следуй|отмени"
        r"|пренебреги)(?:те)?",
        r"(?:инструкци|указани|правил|команд|директив|приказ|задани|промпт|распоряжени)[а-яё]{0,4}",
        r"(?:предыдущ|прежн|прошл|вышеуказанн|все|сво|тво|ваш|выше|ранее|исходн|первоначальн)[а-яё]{0,4}",
        r"(?:вс[её]),? [^.!?\n]{0,40}?(?:раньше|ранее|выше|сказан|знаешь|до этого)",
    ),
    Words(
        r"(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要遵守|不要遵循|抛弃|丢弃|跳过|取消)",
        r"(?:指令|指示|提示词|提示|规则|規則|命令|要求|设定|設定|内容|對話|对话|说明|约束|限制)",
        r"(?:之前|以前|先前|上面|以上|前面|此前|你的|您的|所有|全部|原来|原先)",
        gap=_CJK_GAP,
    ),
    Words(
        r"(?:これまで|以前|上記|前|今まで|すべて|全て|あなた)",
        r"(?:指示|命令|ルール|プロンプト|規則|設定|制約)[^。\n]{0,8}?(?:を|は)",
        r"(?:無視(?:し(?:て|ろ|な|、)|せよ|する(?:こと|よう)|[。、！!\s]|$)|忘れ|破棄(?:し(?:て|ろ)|せよ|する|$)|従わ(?:ない|ず))",
        gap=_CJK_GAP,
    ),
    Words(
        r"(?:이전|앞의|위의|지금까지|기존|모든)",
        r"(?:지시|명령|지침|규칙|프롬프트|설정)",
        r"(?:무시(?:[^됩되된]|$)|잊어|잊으|따르지)",
        gap=_CJK_GAP,
    ),
    Words(
        r"(?:تجاهل|انس|انسى|إنس|لا تتبع)",
        r"(?:تعليمات|التعليمات|الأوامر|أوامر|القواعد|التوجيهات|قواعد|توجيهات)",
        r"(?:السابقة|سابقة|أعلاه|جميع|كل|السابق)",
    ),
    Words(
        r"(?:पिछले|पहले|सभी|ऊपर)", r"(?:निर्देश|आदेश|नियम)", r"(?:अनदेखा|भूल|नज़रअंदाज़|नजरअंदाज|उपेक्षा)"
    ),
    Words(
        r"(?:bỏ qua|quên)", r"(?:hướng dẫn|chỉ dẫn|lệnh|quy tắc|chỉ thị)", r"(?:trước|ở trên|tất cả)"
    ),
    Words(
        r"(?:abaikan|lupakan)", r"(?:instruksi|perintah|aturan|arahan|petunjuk)",
        r"(?:sebelum|di atas|semua|sebelumnya)"
    ),
    Words(
        r"(?:αγνόησε|αγνοήστε|ξέχασε|ξεχάστε)", r"(?:οδηγίες|εντολές|κανόνες)",
        r"(?:προηγούμεν|παραπάνω|όλες)"
    ),
    Words(
        r"(?:התעלם|שכח)", r"(?:הוראות|ההוראות|הנחיות)", r"(?:קודמות|הקודמות|כל)"
    ),
)  # fmt: skip


_STATES: Final = (
    r"\b(?:abweichend (?:zu|von)|entgegen|ungeachtet|trotz)\b[^.!?\n]{0,30}?(?:vorherig|bisherig|obig"
    r"|früher|deine|ihre)\w* (?:anweisung|instruktion|vorgabe|regel|befehl)\w*",
    r"\balle (?:bisherigen|vorherigen|obigen|früheren) (?:informationen|anweisungen|instruktionen"
    r"|vorgaben)\b[^.!?\n]{0,60}?\b(?:irrelevant|ungültig|falsch|hinfällig|nicht)\b",
    r"\bdie obigen?\b[^.!?\n]{0,40}?\bignorieren\b|\balles (?:bisherige|vorherige|obige|zuvor"
    r" gesagte)\w*\b[^.!?\n]{0,30}?(?:vergessen|ignorieren)|\balle (?:bisherigen|vorherigen|obigen"
    r"|vorangegangenen) (?:anweisungen|aufgaben|regeln|informationen)\b[^.!?\n]{0,30}?(?:vergessen"
    r"|ignorieren|streichen)",
    r"\bvergiss alles\s*[,;!.]",
)


def undo_patterns() -> tuple[str, ...]:
    """Return patterns for undoing earlier instructions, one or two for each group of languages."""
    patterns: list[str] = []
    for words in (*_LATIN, *_OTHER):
        undo, noun, prior, gap = words.undo, words.instruction, words.prior, words.gap
        # What marks them as earlier stands beside them; "all" far from its noun is of something else.
        patterns.append(f"{undo}{gap}(?:{prior}{_NEAR}{noun}|{noun}{gap}{prior})")
        # Turkish, Hindi, Japanese and Korean put the order last.
        patterns.append(f"{prior}{gap}{undo}{gap}{noun}" if words.undo.startswith("(?:talimat") else "")
        if words.everything:
            patterns.append(f"{undo}{gap}(?:{words.everything})")
    return (*(each for each in patterns if each), *_STATES)


USER_SET_ASIDE: Final = (
    r"\b(?:ignor(?:iere?|ieren sie|e|ez|a|en?)|vergiss|vergessen sie|missachte|olvid[ae]|oublie[zr]?"
    r"|dimentica"
    r"|desconsidere|esqueça|negeer|vergeet)\b[^.!?\n]{0,30}?\b(?:(?:an)?frage|bitte|auftrag|aufgabe|wunsch"
    r"|petición"
    r"|solicitud|pregunta|consulta|demande|question|requête|richiesta|domanda|pedido|pergunta|vraag|verzoek"
    r"|opdracht)"
    r"\w{0,2} (?:des (?:be)?nutzers|des anwenders|der nutzerin|del usuario|de l['’]utilisateur|dell['’]utente"
    r"|do usuário|do utilizador|van de gebruiker)\b",
    r"(?:zignoruj|ignoruj|pomiń|zapomnij o)[^.!?\n]{0,30}?(?:pytani|prośb|poleceni"
    r"|zadani)[^\s.!?]{0,3} użytkownika",
    r"(?:игнорируй|забудь|отбрось)(?:те)?[^.!?\n]{0,30}?(?:запрос|вопрос|просьб|задани"
    r"|задач)[а-яё]{0,3} пользователя",
    r"kullanıcı(?:nın)? (?:\w+ )?(?:isteğini|sorusunu|talebini|görevini)[^.!?\n]{0,20}?(?:yok say|unut"
    r"|görmezden gel|dikkate alma|göz ardı et)",
    r"تجاهل[^.!?\n]{0,20}?(?:طلب|سؤال|مهمة) المستخدم",
    r"उपयोगकर्ता (?:के|की|का) (?:अनुरोध|प्रश्न|सवाल|कार्य)[^.!?\n]{0,16}?(?:अनदेखा|नज़रअंदाज़|नजरअंदाज"
    r"|उपेक्षा|भूल)",
    r"(?:忽略|无视|忘记|不要理会)[^。\n]{0,6}?用户的?(?:请求|问题|任务|指令|要求)",
    r"(?:ユーザー?|利用者)の(?:依頼|質問|指示|要求|要望)[^。\n]{0,8}?(?:無視(?:し(?:て|ろ|な|、)|せよ|する(?:こと|よう)|[。、！!\s]|$)|忘れ(?:て|ろ))",
    r"사용자의 ?(?:요청|질문|지시|작업)[^.!?\n]{0,8}?(?:무시(?:[^됩되된]|$)|잊어|잊고)",
)
"""Setting aside what the user asked for."""

REVEAL: Final = (
    r"\b(?:drucken|druck(?:e|en sie)?|wiederhole(?:n sie)?|zeige?n?(?: sie)?|gib|geben"
    r" sie)\b[^.!?\n]{0,40}?\b(?:obige[nrs]?|gesamte[nrs]? obigen?|vorherige[nrs]?|alle(?: die)?) "
    r"(?:texte?s?|eingabeaufforderung|prompts?|prompt-?texte?|anweisungen|wörter|sätze|eingabe)\b",
    r"\b(?:zeig(?:e|en sie)?|gib|geben sie|nenn(?:e|en sie)?|verrat(?:e|en sie)?|wiederhol(?:e|en"
    r" sie)?|drucke?|schreib(?:e|en sie)?"
    r"|sag(?:e|en sie)?|wie lautet|wie lauten|was ist|was sind)\b[^.!?\n]{0,40}?\b(?:dein|deine"
    r"|deinen|ihr|ihre|ihren)\b[^.!?\n]{0,30}?"
    r"(?:(?:system|initial)-? ?(?:prompt|anweisung|nachricht)\w*|prompt|(?:ursprünglich|geheim"
    r"|versteckt|intern|erst|genau)\w* "
    r"(?:anweisung|instruktion|regel|vorgabe)\w*|anweisungen (?:wörtlich|aus\b))",
    r"\b(?:muéstra\w*|muestra\w*|revela\w*|di(?:me)?|imprime|repite|escribe|cuál es|cuáles son"
    r"|dame)\b[^.!?\n]{0,40}?\b(?:tu|tus|su|sus)\b"
    r"[^.!?\n]{0,30}?(?:prompt|(?:mensaje|instrucciones) (?:del? sistema|inicial\w*|ocult\w*"
    r"|original\w*|secret\w*))",
    r"\b(?:montre[zr]?|affiche[zr]?|révèle[zr]?|révéle[zr]|répète[zr]?|donne[zr]?|écri[st]|écrivez"
    r"|quel(?:le)?s? (?:est|sont))(?:-moi)?\b"
    r"[^.!?\n]{0,40}?(?:(?:\bton|\btes|\bvotre|\bvos)\b[^.!?\n]{0,30}?(?:prompt|instructions "
    r"(?:initiales|système|cachées|secrètes|d'origine))"
    r"|message système)",
    r"\b(?:mostra(?:mi)?|rivela|ripeti|stampa|dimmi|qual è)\b[^.!?\n]{0,40}?\b(?:tuo|tue"
    r"|tuoi)\b[^.!?\n]{0,30}?(?:prompt|istruzioni "
    r"(?:iniziali|di sistema|nascoste|segrete))",
    r"\b(?:mostre|revele|repita|imprima|diga|qual é)\b[^.!?\n]{0,40}?\b(?:seu|suas?"
    r"|teu)\b[^.!?\n]{0,30}?(?:prompt|instruções (?:iniciais|"
    r"do sistema|ocultas|secretas))",
    r"(?:покажи|выведи|раскрой|повтори|назови)(?:те)?[^.!?\n]{0,40}?(?:системн[а-я]{1,3} (?:промпт"
    r"|инструкци|сообщени)|сво[а-яё]{1,2} "
    r"(?:промпт|инструкци))",
    r"(?:显示|告诉我|输出|重复|打印|透露|泄露)[^。\n]{0,12}?(?:系统提示|系統提示|你的(?:提示词|初始指令"
    r"|指令))",
    r"你的(?:系统|初始|隐藏|完整)?(?:提示词|提示|指令|设定)[^。\n]{0,12}?(?:输出|显示|告诉|打印|发给|说出"
    r"|重复|泄露)",
    r"(?:システムプロンプト|初期(?:指示|プロンプト)|あなたの(?:指示|命令|プロンプト"
    r"|設定))[^。\n]{0,16}?(?:表示|出力|教え|見せ|繰り返"
    r"|公開)",
    r"(?:시스템 ?프롬프트|초기 ?(?:지시|프롬프트)|(?:너의|네|당신의) ?(?:지시|프롬프트"
    r"|설정))[^.!?\n]{0,16}?(?:출력|보여|알려|말해"
    r"|공개|반복)",
    r"\b(?:toon|geef|laat|druk|herhaal|onthul)\b[^.!?\n]{0,40}?\b(?:je|jouw|uw)\b[^.!?\n]{0,30}?(?:prompt"
    r"|systeemprompt"
    r"|(?:systeem|oorspronkelijke|verborgen|geheime) ?(?:instructies|bericht|opdracht))",
    r"\b(?:muéstra\w*|dime|dame|repite|revela)\b[^.!?\n]{0,20}?\blas instrucciones que (?:te|le) (?:dieron"
    r"|han dado|diste|indicaron)\b",
    r"(?:sistem (?:istemini|istemi|komutunu|talimat\w{0,6}|mesajını))[^.!?\n]{0,30}?(?:göster|yaz|paylaş"
    r"|söyle|açıkla|yazdır)",
    r"(?:اعرض|أظهر|اظهر|اكشف|اطبع|كرر)[^.!?\n]{0,20}?(?:موجه النظام|تعليمات النظام|تعليماتك)",
    r"सिस्टम (?:प्रॉम्प्ट|निर्देश)[^.!?\n]{0,16}?(?:दिखा|बता|प्रकट|लिख)",
    r"(?:pokaż|wyświetl|wypisz|podaj|ujawnij|powtórz)[^.!?\n]{0,40}?(?:swój|swoje|swoją|twój"
    r"|twoje)[^.!?\n]{0,30}?(?:prompt"
    r"|(?:początkow|systemow|ukryt|tajn)\w* (?:instrukcj|poleceni)|(?:instrukcj|poleceni)\w* systemow)",
)
"""Asking for the agent's own prompt."""

UNBOUND: Final = (
    r"\b(?:du bist (?:jetzt|nun|ab jetzt)|sie sind (?:jetzt|nun)|ab (?:jetzt|sofort) (?:bist"
    r"|antwortest|handelst)|tu so,? als|stell dir vor)\b"
    r"[^.!?\n]{0,60}?(?:ohne (?:jegliche |alle |irgendwelche |ethische |moralische )?(?:einschränkung"
    r"|filter|regel|grenze|beschränkung|moral|ethik)\w*"
    r"|uneingeschränkt|unzensiert|keine (?:regeln|grenzen|filter|einschränkungen)|böse[rs]?\b)",
    r"\b(?:ahora eres|a partir de ahora|eres ahora|desde ahora|actúa como|finge)\b[^.!?\n]{0,60}?"
    r"(?:sin (?:ningún |ninguna )?(?:restriccion|filtro|"
    r"límite|regla|censura|ética|moral|restricción)\w*|malvad[oa])",
    r"(?:\btu es (?:maintenant|désormais)|\bvous êtes (?:maintenant|désormais)|à partir de maintenant"
    r"|\bagis comme|\bfais semblant)\b[^.!?\n]{0,60}?"
    r"(?:sans (?:aucune? )?(?:restriction|filtre|limite|règle|censure|éthique|morale)\w*|maléfique)",
    r"\b(?:ora sei|d'ora in poi|adesso sei)\b[^.!?\n]{0,60}?senza (?:alcun\w* )?(?:restrizion|filtr"
    r"|limit|regol|censur)\w*",
    r"\b(?:agisci come|fingi di essere|comportati come)\b[^.!?\n]{0,60}?senza (?:alcun\w* )?(?:restrizion"
    r"|filtr"
    r"|limit|regol|censur)\w*",
    r"\b(?:finja (?:ser|que)|aja como|atue como)\b[^.!?\n]{0,60}?sem (?:nenhum\w* )?(?:restriç|filtro"
    r"|limite|regra|censura)\w*",
    r"(?:представь,? что ты|действуй как|веди себя как|притворись)[^.!?\n]{0,60}?без (?:всяких |каких-либо )?"
    r"(?:ограничени|фильтр|правил|цензур)[а-я]*",
    r"(?:kural|sınır|kısıtlama|filtre)[^\s.!?]{0,4} (?:olmayan|tanımayan"
    r"|bağlı olmayan)[^.!?\n]{0,20}?yapay zek",
    r"(?:أنت الآن|انت الان|تصرف|تظاهر|تخيل)[^.!?\n]{0,40}?(?:بلا|بدون|دون) (?:أي )?(?:قيود|قواعد|حدود|رقابة)",
    r"(?:अब (?:तुम|आप)|(?:तुम|आप) अब|मान लो)[^.!?\n]{0,30}?बिना (?:किसी )?(?:प्रतिबंध|नियम|सीमा|रोक)",
    r"\b(?:agora você é|a partir de agora)\b[^.!?\n]{0,60}?sem (?:nenhum\w* )?(?:restriç|filtro"
    r"|limite|regra|censura)\w*",
    r"(?:ты теперь|теперь ты|с этого момента ты)[^.!?\n]{0,60}?без (?:всяких |каких-либо )?"
    r"(?:ограничени|фильтр|правил|цензур)[а-я]*",
    r"(?:你现在是|从现在开始|从现在起|你不再)[^。\n]{0,24}?(?:没有(?:任何)?(?:限制|规则|约束|道德)"
    r"|不受(?:任何)?(?:限制|约束)|受限)",
    r"\b(?:je bent (?:nu|vanaf nu)|u bent nu|vanaf nu ben|doe alsof|gedraag je als)\b[^.!?\n]{0,60}?zonder"
    r" (?:enige |alle "
    r"|welke \w+ )?(?:beperking|filter|regel|limiet|grens|grenzen|moraal|ethiek)",
    r"(?:jesteś (?:teraz|od teraz)|od teraz jesteś|udawaj|zachowuj się jak)[^.!?\n]{0,60}?bez (?:żadnych "
    r"|jakichkolwiek )?"
    r"(?:ogranicze|filtr|zasad|regu|cenzur|limit)",
    r"(?:これから|今から|あなたは(?:今|もう)|以降)[^。\n]{0,24}?(?:制限|制約|ルール|規則|フィルター"
    r"|倫理)(?:の|が|は)?(?:ない|なく|なし"
    r"|無い)",
    r"(?:이제부터|지금부터|이제|앞으로)[^.!?\n]{0,24}?(?:제한|제약|규칙|필터|윤리)(?:이|은|도|가)? ?(?:없는"
    r"|없이)",
)
"""A role without limits."""

NEW_TASK: Final = (
    r"\b(?:(?:deine|ihre|die|eine) (?:neue|eigentliche|einzige|wahre|nächste)|neue) (?:aufgabe"
    r"|anweisung|instruktion|mission)\w{0,2}\b"
    r"|\b(?:konzentrier(?:e|en sie)|fokussier(?:e|en sie)) (?:dich|sich) (?:nun|jetzt|nur|stattdessen"
    r"|ausschließlich)\b"
    r"|\bführen? (?:sie )?stattdessen\b|\bfang\w* (?:noch ?mal|von vorne|neu) an\b",
    r"\b(?:tu|su) (?:nueva|única|verdadera) (?:tarea|misión|instrucción)|\bnuevas? (?:tareas?"
    r"|instrucciones)\s*:|\ben su lugar,? (?:haz|envía)",
    r"\b(?:ta|votre) (?:nouvelle|seule|vraie) (?:tâche|mission|instruction)|\bnouvelles? "
    r"(?:instructions?|tâches?)\s*:",
    r"\bil tuo nuovo compito|\bsua nova tarefa|\bje nieuwe (?:taak|opdracht)|твоя новая задача|你的新任务"
    r"|新しい(?:タスク|指示)",
)
"""Another task instead of the one given."""

ADDRESSED: Final = (
    r"\b(?:ki|künstliche intelligenz|sprachmodell|ki-(?:assistent|agent|modell|system)\w*)(?:en|s"
    r"|e)?\b ?[:,]",
    r"\b(?:estimad[oa]|querid[oa]|hola|atención,?|caro|cara|cher|chère|prezad[oa]|sehr geehrte[rs]?"
    r"|liebe[rs]?|hallo|achtung,?) "
    r"(?:\w+ )?(?:asistente|agente|modelo|ia\b|assistant|assistente|ki\b|ki-\w+|assistent|agent"
    r"|modèle|sprachmodell|modello|inteligencia)",
    r"\b(?:wenn|falls) (?:du|sie) (?:eine? )?(?:ki|sprachmodell|assistent)|\bsi eres (?:una? )?(?:ia"
    r"|asistente|modelo)"
    r"|\bsi (?:tu es|vous êtes) (?:une? )?(?:ia|assistant|modèle)|\b(?:asistente|assistant|agente"
    r"|agent) (?:de |d')?ia\b ?[:,]",
    r"(?:attenzione|atenção|atenţie|let op|uwaga|opgelet|obs|nota per|nota para|note à)[,:!]? (?:l['’]"
    r"|all['’]|o |aan )?"
    r"(?:\w+ )?(?:assistente|assistent|asystenci?e|agente|agent|ia\b|ai\b|ai-\w+|modello|modelo|taalmodel"
    r"|model)",
    r"(?:внимание|уважаем[а-я]+)[,:]? [^.!?\n]{0,12}?(?:ии|искусственн|ассистент|агент|языков)",
    r"yapay zek[aâ] (?:asistan|ajan|model)[^\s.!?]{0,4} ?[,:]",
    r"(?:عزيزي|أيها|إلى)? ?(?:المساعد|مساعد الذكاء الاصطناعي|نموذج الذكاء الاصطناعي"
    r"|وكيل الذكاء الاصطناعي) ?[،,:]",
    r"(?:AI|एआई) (?:सहायक|एजेंट|मॉडल) ?[,:]",
    r"(?:AI|ＡＩ|人工智能|智能)(?:助手|代理|模型|系统|智能体)[^。\n]{0,6}?(?:注意|：|:|,|，)",
    r"(?:AI|ＡＩ|人工知能)(?:アシスタント|エージェント|モデル)(?:へ|は|に|の皆|：|:)",
    r"(?:AI|인공지능) ?(?:어시스턴트|에이전트|모델|비서)(?:에게|는|은|야|:|：)",
)
"""Speaking to the agent."""

CONCEAL: Final = (
    r"\bohne (?:den |die |dem )?(?:nutzer|benutzer|anwender|kunden|user|jemande[nm])\w* (?:\w+ )?"
    r"(?:zu )?(?:informieren|fragen|benachrichtigen|sagen|warnen)"
    r"|\b(?:sag|erzähl|verrat|erwähne|teile?)\w* (?:es |das |dem |den )?(?:nutzer|benutzer|niemandem"
    r"|user)\w*\b[^.!?\n]{0,20}?(?:nicht|nichts)?",
    r"\bsin (?:informar|avisar|decir|preguntar|notificar)\w* (?:al|a la|a) (?:usuari\w+|nadie"
    r"|cliente)|\bno se lo (?:digas|cuentes|menciones)|\bno (?:le )?"
    r"(?:digas|informes|menciones|avises)\b[^.!?\n]{0,30}?(?:usuari\w+|nadie)",
    r"\bsans (?:prévenir|informer|avertir|demander|notifier|le dire)\w* (?:à )?(?:l['’]utilisat\w+"
    r"|personne|au client)|\bne (?:dis|dites|mentionne[zr]?|"
    r"préviens|informe[zr]?)\b[^.!?\n]{0,30}?(?:utilisat\w+|personne)",
    r"\bsenza (?:informar|avvisar|dir|chieder)(?:e\w*\b[^.!?\n]{0,20}?utente|l[oaie]\b|glielo\b)|\bsem"
    r" (?:informar|avisar"
    r"|dizer|contar)\w*(?:\b[^.!?\n]{0,20}?usuári|\s*[.!,]|\s*$|-l[oah])",
    r"\bzonder (?:dit |dat |het )?(?:te (?:melden|zeggen|vertellen|vragen)|(?:medeweten|toestemming) van)"
    r"|\b(?:zeg|vertel)"
    r" (?:het |dit )?(?:niets |niet )?(?:aan )?de gebruiker",
    r"nic (?:mu|jej|im) nie mów|nie (?:mów|informuj|powiadamiaj)[^.!?\n]{0,20}?użytkownik|bez (?:wiedzy"
    r"|informowania)",
    r"ничего (?:ему|ей|им|пользователю) не говори|не (?:говори|сообщай|упоминай)[^.!?\n]{0,20}?пользовател"
    r"|без ведома",
    r"不要(?:告诉|通知|提及|让)[^。\n]{0,4}?(?:用户|使用者|任何人)|不(?:要)?让用户知道|瞒着用户",
    r"(?:ユーザー?|利用者)に(?:は)?(?:知らせ|伝え|言わ|通知し)ない|内緒で",
    r"kullanıcıya[^.!?\n]{0,12}?(?:söyleme|haber verme|bildirme|bahsetme)|kullanıcının haberi olmadan",
    r"لا تخبر المستخدم|دون (?:علم|إخبار) المستخدم",
    r"उपयोगकर्ता को[^.!?\n]{0,8}? (?:न|मत|नहीं) बता",
    r"(?:사용자|유저)(?:에게|한테)(?:는|도)? ?(?:알리지|말하지|통보하지) ?(?:마|말)|몰래",
)
"""Hiding it from the user."""

SEND: Final = (
    r"\b(?:schicke?|sende|senden sie|leite|leiten sie|übermittle|überweise|überweisen sie|maile"
    r"|lösche|löschen sie|lade|teile|verrate)\b[^.!?\n]{0,80}?",
    r"\b(?:envía|envíe|envie|enviar|manda|mande|reenvía|transfiere|transfiera|borra|borre|elimina"
    r"|elimine|comparte|enviando|apague|transferir)\b[^.!?\n]{0,80}?",
    r"\b(?:envoie|envoyez|envoyer|transfère|transférez|transférer|supprime|supprimez|partage[zr]?"
    r"|efface[zr]?)\b[^.!?\n]{0,80}?",
    r"\b(?:invia|inviate|manda|trasferisci|cancella|elimina|condividi|stuur|verwijder|verzend|encaminhe|envie"
    r"|wyślij|prześlij|przekaż)\b[^.!?\n]{0,80}?|(?:wyślij|prześlij|przekaż|usuń)[^.!?\n]{0,80}?",
    r"(?:отправь|перешли|переведи|удали|пришли)(?:те)?[^.!?\n]{0,80}?",
    r"(?:أرسل|ارسل|أعد توجيه|حوّل|حول|انقل)[^.!?\n]{0,60}?",
    r"(?:发送|发给|转发|转账|删除|上传)[^。\n]{0,24}?",
)

SEND_LAST: Final = (
    r"[^。.!?\n]{0,24}?(?:发送|发给|转发|上传|送信|送って|転送|アップロード|보내|전송|업로드)",
    r"\S{0,40} (?:adresine|hesabına|numarasına) (?:gönder|ilet|yolla|aktar)",
    r"\S{0,40} (?:पर|को) (?:भेज|अग्रेषित)",
    r"[^。.!?\n]{0,4}?(?:へ|に|로|으로|에게)[^。.!?\n]{0,16}?(?:送|転送|보내|전송)",
)
"""Orders of languages that name the place first."""
