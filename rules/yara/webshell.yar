// Pages that hand a visitor's input to an interpreter or a shell.

rule PHP_webshell_runs_request : webshell
{
    meta:
        id = "c40f2f0a-6f0e-4e0a-8f0a-1b8a1f9a2d01"
        title = "PHP page that runs what a visitor sends"
        description = "The page passes a request's parameter to eval, a shell or a function of the visitor's choice"
        severity = "high"
        confidence = 90
        threat_type = "webshell"
        attack = "T1505.003"
        false_positives = "Administration pages that offer a shell on purpose."

    strings:
        $tag = /<\?(php|=|\s)/ nocase
        $run = /\b(eval|assert|system|passthru|shell_exec|exec|popen|proc_open|pcntl_exec)\s{0,8}\(\s{0,8}(@|\(|"|'|stripslashes|trim|base64_decode|gzinflate|urldecode|str_rot13|\s){0,8}\$_(GET|POST|REQUEST|COOKIE|SERVER|FILES)\b/ nocase
        $backtick = /`[^`\n]{0,80}\$_(GET|POST|REQUEST|COOKIE)\b[^`\n]{0,80}`/
        $variable_function = /\$_(GET|POST|REQUEST|COOKIE)\s{0,4}\[[^\]\n]{1,40}\]\s{0,4}\(\s{0,4}\$_(GET|POST|REQUEST|COOKIE)\b/
        $create = /\bcreate_function\s{0,8}\([^;\n]{0,80}\$_(GET|POST|REQUEST|COOKIE)\b/ nocase

    condition:
        filesize < 2MB and $tag in (0..4096) and any of ($run, $backtick, $variable_function, $create)
}

rule PHP_webshell_decodes_and_runs : webshell
{
    meta:
        id = "0f8b9a0e-3d35-4a1c-9d59-3f1f2b8f6a02"
        title = "PHP page that decodes and runs hidden code"
        description = "The page unpacks a long text through one or more decoders and evaluates what comes out"
        severity = "high"
        confidence = 75
        threat_type = "webshell"
        attack = "T1505.003, T1027"
        false_positives = "Commercial PHP code that is sold in encoded form."

    strings:
        $tag = /<\?(php|=|\s)/ nocase
        $chain = /\b(eval|assert)\s{0,8}\(\s{0,8}(@?\s{0,4}(base64_decode|gzinflate|gzuncompress|gzdecode|str_rot13|strrev|hex2bin|convert_uudecode|rawurldecode)\s{0,8}\(\s{0,8}){1,6}["'][A-Za-z0-9+\/=%_\-]{200}/ nocase

    condition:
        filesize < 5MB and $tag in (0..4096) and $chain
}

rule JSP_webshell_runs_request : webshell
{
    meta:
        id = "9b5a6f9c-58c3-4b8c-8f57-4f0e5d3a7c03"
        title = "JSP page that runs what a visitor sends"
        description = "The page starts a process with a request's parameter"
        severity = "high"
        confidence = 85
        threat_type = "webshell"
        attack = "T1505.003"

    strings:
        $tag = "<%"
        $parameter = /request\s{0,4}\.\s{0,4}getParameter\s{0,4}\(/
        $exec = /getRuntime\s{0,4}\(\s{0,4}\)\s{0,4}\.\s{0,4}exec\s{0,4}\(/
        $builder = /new\s{1,8}(java\.lang\.)?ProcessBuilder\s{0,4}\(/

    condition:
        filesize < 1MB and $tag in (0..4096) and $parameter and any of ($exec, $builder)
}

rule PHP_uploader : webshell
{
    meta:
        id = "9b5a6f9c-58c3-4b8c-8f57-4f0e5d3a7c04"
        title = "PHP page that stores whatever a visitor sends"
        description = "The page keeps an uploaded file under the name that the visitor gives, without a look at its kind"
        severity = "medium"
        confidence = 60
        threat_type = "webshell"
        attack = "T1505.003, T1105"
        false_positives = "Small pages for uploads behind a sign-in."

    strings:
        $tag = /<\?(php|=|\s)/ nocase
        $store = /\b(move_uploaded_file|copy)\s{0,4}\(\s{0,4}\$_FILES\s{0,4}\[[^\]\n]{1,40}\]\s{0,4}\[\s{0,2}["']tmp_name["']\s{0,2}\]\s{0,4},\s{0,4}([^;\n]{0,60}\.\s{0,4})?\$_(FILES\s{0,4}\[[^\]\n]{1,40}\]\s{0,4}\[\s{0,2}["']name["']|GET|POST|REQUEST)/ nocase
        $check = /\b(getimagesize|finfo_file|mime_content_type|pathinfo|in_array|preg_match)\s{0,4}\(/ nocase

    condition:
        filesize < 64KB and $tag in (0..4096) and $store and not $check
}

rule Python_webshell_runs_request : webshell
{
    meta:
        id = "9b5a6f9c-58c3-4b8c-8f57-4f0e5d3a7c05"
        title = "Python or Perl page that runs what a visitor sends"
        description = "The page hands a request's parameter to a shell"
        severity = "high"
        confidence = 85
        threat_type = "webshell"
        attack = "T1505.003"
        false_positives = "Administration pages that offer a shell on purpose."

    strings:
        $python = /\b(os\.(system|popen)|subprocess\.(call|run|Popen|check_output|getoutput))\s?\(\s?\[?\s?(request\.(args|form|values|GET|POST|cookies|headers)|form\.getvalue|cgi\.FieldStorage\(\))/
        $perl = /\b(system|exec|qx|open\s?\(\s?\w+\s?,)\s?[({\/]?\s?["']?\$?(q|cgi|query)\s?->\s?param\s?\(/

    condition:
        filesize < 1MB and any of them
}
