#!/bin/bash
# Ends well if the gateway answers. It runs every few seconds for as long as the stack
# does, so nothing is started for it that takes longer than the answer.
exec 3<>/dev/tcp/127.0.0.1/8070 || exit 1
printf 'HEAD / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3
IFS= read -r -t 3 status <&3 || exit 1
[[ "$status" == *" 404 "* ]]
