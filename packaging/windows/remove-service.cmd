@echo off
rem Removes the service ndfd, once it is stopped: net stop ndfd. Its data stays.
rem Run it as administrator. Its exit status is that of the first command that failed; 0: none did.
sc.exe delete ndfd || exit /b
reg.exe delete HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\ndfd /f || exit /b
