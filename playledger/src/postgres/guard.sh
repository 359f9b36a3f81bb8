# Runs the server "$@" until it ends or whoever started this has gone: then the other end of this
# script's standard input is closed, however that process ended, and the server is asked to stop.
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT "$server"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
