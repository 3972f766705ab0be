# The board's queries as recording rules, which `promtool check rules` can read. For that, Grafana's variables get a value.

[.. | objects | .expr // empty]
| unique
| map(gsub("[$](window|__rate_interval)"; "1h") | gsub("[$]target"; "0.5"))
| {groups: [{name: "board", rules: (to_entries | map({record: "board:\(.key)", expr: .value}))}]}
