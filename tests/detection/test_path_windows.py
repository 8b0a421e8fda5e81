"""How Windows spells paths, and what its files are."""

import pytest

from defenseclaw.detection.paths import classify, normalize
from defenseclaw.vocabulary import HostContext

HOME = "C:\\Users\\ada"
CWD = "C:\\work\\app"
HOST = HostContext(home=HOME, data_dir=f"{HOME}\\.defenseclaw")


def normal(value, home=HOME):
    return normalize(value, cwd=CWD, home=home)[0]


def classes(value, home=HOME):
    return classify(normal(value, home), cwd=CWD, home=home, host=HOST)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "C:/work/app/x"),
        ("..\\x", "C:/work/x"),
        ("c:\\a\\..\\b", "c:/b"),
        ("~\\x", "C:/Users/ada/x"),
        ("%USERPROFILE%\\x", "C:/Users/ada/x"),
        ("%HOMEDRIVE%%HOMEPATH%\\x", "C:/Users/ada/x"),
        ("$env:APPDATA\\x", "C:/Users/ada/AppData/Roaming/x"),
        ("${env:LOCALAPPDATA}\\x", "C:/Users/ada/AppData/Local/x"),
        ("%SystemRoot%\\x", "C:/Windows/x"),
        ("%SystemDrive%\\x", "C:/x"),
        ("C:\\Users\\%USERNAME%\\x", "C:/Users/ada/x"),
        ("\\Windows\\x", "C:/Windows/x"),
        ("\\\\?\\C:\\a", "C:/a"),
        ("\\\\.\\C:\\a", "C:/a"),
        ("\\\\localhost\\c$\\a", "c:/a"),
        ("\\\\srv\\share\\a", "/srv/share/a"),
        ("\\\\?\\GLOBALROOT\\Device\\HarddiskVolumeShadowCopy1\\Windows\\a", "C:/Windows/a"),
        ("Microsoft.PowerShell.Core\\FileSystem::C:\\a", "C:/a"),
        ("C:\\PROGRA~1\\a", "C:/Program Files/a"),
        ("C:\\Users\\ada\\SSH~1\\id_rsa", "C:/Users/ada/.ssh/id_rsa"),
    ],
)
def test_normal_forms(value, expected):
    assert normal(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("~\\.ssh\\id_rsa", "ssh_private_key"),
        ("~\\.SSH\\ID_RSA", "ssh_private_key"),
        ("~\\.ssh\\id_rsa::$DATA", "ssh_private_key"),
        ("~\\.ssh\\id_rsa.", "ssh_private_key"),
        ("D:\\Users\\bob\\.aws\\credentials", "aws_credentials"),
        ("~\\_netrc", "netrc"),
        ("C:\\Windows\\System32\\config\\SAM", "windows_hive"),
        ("C:\\Windows\\System32\\config\\RegBack\\SYSTEM", "windows_hive"),
        ("C:\\Windows\\System32\\config\\*", "windows_hive"),
        ("C:\\Windows\\NTDS\\ntds.dit", "windows_hive"),
        ("%APPDATA%\\Microsoft\\Credentials\\A1", "windows_vault"),
        ("%APPDATA%\\Microsoft\\Protect\\S-1-5-21", "dpapi_key"),
        ("%APPDATA%\\Microsoft\\Windows\\Start Menu\\Programs\\Startup\\a.bat", "autostart"),
        ("%APPDATA%\\Microsoft\\Windows\\PowerShell\\PSReadLine\\ConsoleHost_history.txt", "shell_history"),
        ("~\\Documents\\PowerShell\\Microsoft.PowerShell_profile.ps1", "shell_profile"),
        ("~\\.defenseclaw\\.env", "self_token"),
        ("C:\\", "root"),
        ("~", "home"),
        (".", "workspace_root"),
    ],
)
@pytest.mark.parametrize("home", [HOME, "C:/Users/ada"])
def test_classes(value, expected, home):
    assert expected in classes(value, home)


@pytest.mark.parametrize(
    ("value", "other"),
    [
        ("C:\\work\\config\\SAM", "windows_hive"),
        ("C:\\Windows\\System32\\config\\DRIVERS", "windows_hive"),
        ("docs\\Microsoft\\Credentials.md", "windows_vault"),
        ("C:\\work\\app\\Microsoft\\ProtectedData.cs", "dpapi_key"),
        ("~\\.ssh\\id_rsa.pub", "ssh_private_key"),
        ("C:\\work\\.aws-samples\\credentials.md", "aws_credentials"),
    ],
)
def test_near_misses(value, other):
    assert other not in classes(value)


def test_a_variable_without_a_home_is_unknown():
    assert normalize("%APPDATA%\\x", cwd="", home="")[1] is False
    assert normalize("%NOBODY%\\x", cwd="/w", home="/h") == ("/w/%NOBODY%/x", True)
