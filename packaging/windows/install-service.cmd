@echo off
rem Installs the service ndfd; Python and ndfd lie in C:\Program Files\ndfd, data in C:\ProgramData\ndfd.
rem Run it as administrator. Its exit status is that of the first command that failed; 0: none did.
cmd.exe /c if not exist C:\ProgramData\ndfd\log mkdir C:\ProgramData\ndfd\log || exit /b
cmd.exe /c if not exist C:\ProgramData\ndfd\state mkdir C:\ProgramData\ndfd\state || exit /b
sc.exe create ndfd type= own start= delayed-auto error= normal obj= "NT SERVICE\ndfd" DisplayName= "NeuralDocFlow daemon" binPath= "\"C:\Program Files\ndfd\python.exe\" -X utf8 -m ndfd.platform.windows_service --name ndfd --log-dir C:\ProgramData\ndfd\log --start-limit 120 --stop-limit 60 -- \"C:\Program Files\ndfd\python.exe\" -X utf8 -m ndfd run --service --owner-fd 0" || exit /b
sc.exe description ndfd "Turns documents into checked, structured records for programs on this machine." || exit /b
sc.exe failure ndfd reset= 86400 actions= restart/1000/restart/5000/restart/30000 || exit /b
sc.exe failureflag ndfd 0 || exit /b
sc.exe sidtype ndfd unrestricted || exit /b
sc.exe privs ndfd SeChangeNotifyPrivilege || exit /b
reg.exe add HKLM\SYSTEM\CurrentControlSet\Services\ndfd /v PreshutdownTimeout /t REG_DWORD /d 75000 /f || exit /b
reg.exe add HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\ndfd /v EventMessageFile /t REG_EXPAND_SZ /d %%SystemRoot%%\System32\EventCreate.exe /f || exit /b
reg.exe add HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\ndfd /v TypesSupported /t REG_DWORD /d 7 /f || exit /b
icacls.exe C:\ProgramData\ndfd /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F "NT SERVICE\ndfd:(OI)(CI)RX" || exit /b
icacls.exe C:\ProgramData\ndfd\log /grant:r "NT SERVICE\ndfd:(OI)(CI)M" || exit /b
icacls.exe C:\ProgramData\ndfd\state /grant:r "NT SERVICE\ndfd:(OI)(CI)M" || exit /b
