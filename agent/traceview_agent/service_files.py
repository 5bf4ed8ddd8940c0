"""What tells systemd, launchd and Windows' task scheduler to run the daemon: at login, again after a crash.

The daemon ends by itself with code 1 where another runs and with 2 where its settings or store can't be used: starting
it again would not help then.
"""

from __future__ import annotations

import plistlib
from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

UNIT_NAME: Final = "traceview-agent.service"
LABEL: Final = "org.traceview.agent"
TASK_NAME: Final = "traceview-agent"
OPEN_FILES: Final = 65536

# Hardened by what a user's manager can always do (system call filters), not by mount namespaces, which kernels without
# unprivileged user namespaces refuse. MemoryMax is twice the daemon's ceiling under overload.
_UNIT: Final = """\
[Unit]
Description=traceview-agent, which receives and keeps the spans of traced programs
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=1 2
TimeoutStartSec=60
TimeoutStopSec=10
LimitNOFILE={open_files}
MemoryMax=1G
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM

[Install]
WantedBy=default.target
"""

# https://learn.microsoft.com/windows/win32/taskschd/task-scheduler-schema; the elements' order is fixed.
_TASK: Final = """\
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Receives and keeps the spans of traced programs.</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <AllowHardTerminate>true</AllowHardTerminate>
    <Hidden>true</Hidden>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>6</Priority>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>3</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{program}</Command>
      <Arguments>{arguments}</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def systemd_unit(command: Sequence[str]) -> bytes:
    """A unit for the user's manager (systemd.service(5)); the log goes to the journal."""
    program, *arguments = map(_systemd_word, command)
    words = [program, *(word.replace("$", "$$") for word in arguments)]  # in the program's path systemd leaves it alone
    return _UNIT.format(command=" ".join(words), open_files=OPEN_FILES).encode()


def launchd_plist(command: Sequence[str]) -> bytes:
    """A launch agent (launchd.plist(5)); launchd can't tell exit codes apart, and waits ten seconds between starts."""
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": [*command, "--detached"],
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ProcessType": "Background",
            "Umask": 0o077,
            "SoftResourceLimits": {"NumberOfFiles": OPEN_FILES},
        },
        sort_keys=False,
    )


def windows_task(command: Sequence[str]) -> bytes:
    """A scheduled task for `schtasks /Create /XML`, which wants UTF-16."""
    program, *arguments = *command, "--detached"
    words = " ".join(map(_windows_word, arguments))
    return _TASK.format(program=escape(program), arguments=escape(words)).encode("utf-16")


def _systemd_word(word: str) -> str:
    """The word in quotes; what systemd would expand is doubled (systemd.service(5), "Command lines")."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{word}"' if not word or any(c.isspace() or c in "\"';\\" for c in word) else word


def _windows_word(word: str) -> str:
    """The word as CommandLineToArgvW reads it; paths hold no quotes on Windows."""
    return f'"{word}"' if not word or any(c.isspace() for c in word) else word
