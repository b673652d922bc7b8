#!/bin/bash
# Ends well if the page answers and SMTP greets. It runs every few seconds for as long as
# the stack does, so nothing is started for it that takes longer than the answer.
exec 3<>/dev/tcp/127.0.0.1/8025 || exit 1
printf 'GET /messages?to=- HTTP/1.0\r\nHost: 127.0.0.1:8025\r\n\r\n' >&3
IFS= read -r -t 3 status <&3 || exit 1
[[ "$status" == *" 200 "* ]] || exit 1
exec 4<>/dev/tcp/127.0.0.1/1025 || exit 1
IFS= read -r -t 3 greeting <&4 || exit 1
[[ "$greeting" == 220* ]]
