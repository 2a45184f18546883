/*
  Coin miners: configurations, command lines and the scripts that plant them.

  A miner may be wanted by the owner of the machine, so a configuration alone is `suspicious`;
  scripts that plant one among killed rivals and cron entries are `malicious`.
*/

rule Tocsin_Any_Miner_XmrigConfig
{
    meta:
        description = "Configuration of an XMRig-like miner with a pool and a wallet"
        why = "Mines coins with the machine's processor for the owner of the wallet"
        reference = "T1496"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $donate = /"donate-level"\s?:\s?[0-9]/
        $pools = /"pools"\s?:\s?\[/
        $url = /"url"\s?:\s?"((stratum(\+ssl|\+tcp|\+tls)?|ssl|tcp):\/\/)?[a-z0-9.-]{4,100}:[0-9]{2,5}"/ nocase
        $user = /"user"\s?:\s?"(4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|8[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|[A-Za-z0-9]{34,110})([.+][A-Za-z0-9_.-]{1,60})?"/
    condition:
        filesize < 128KB and all of them
}

rule Tocsin_Any_Miner_StratumCommand
{
    meta:
        description = "Command line that starts a miner against a stratum pool with a wallet"
        why = "Mines coins with the machine's processor for the owner of the wallet"
        reference = "T1496"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /(-o|--url|-P|--pool|-pool|--server)[= ]\s{0,3}["']?(stratum[0-9]?(\+tcp|\+ssl|\+tls)?:\/\/)?[a-z0-9@.:_-]{4,160}:[0-9]{2,5}["']?\s[^\n]{0,60}(-u|--user|-wal|--wallet)[= ]\s{0,3}["']?(4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|0x[0-9a-f]{40}|(bc1|[13LDtR])[A-Za-z0-9]{25,60})/ nocase
        $wallet = /(-u|--user|-wal|--wallet)[= ]\s{0,3}["']?(4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|0x[0-9a-f]{40}|(bc1|[13LDtR])[A-Za-z0-9]{25})/ nocase
        $pool = /(-o|--url|-P|--pool)[= ]\s{0,3}["']?stratum[0-9]?(\+tcp|\+ssl|\+tls)?:\/\// nocase
        $c = /stratum[0-9]?\+(tcp|ssl|tls):\/\/(4[0-9AB][1-9A-HJ-NP-Za-km-z]{93}|0x[0-9a-f]{40})[^\s"']{0,60}@[a-z0-9.-]{4,80}:[0-9]{2,5}/ nocase
        $miner = /xmrig|minerd|cpuminer|ethminer|nbminer|lolminer|t-rex|phoenixminer|nanominer|xmr-stak|teamredminer|gminer|ccminer|stratum|randomx|cryptonight/ nocase
    condition:
        filesize < 2MB and $miner and (any of ($a, $c) or ($wallet and $pool))
}

rule Tocsin_Unix_Miner_RivalKiller
{
    meta:
        description = "Shell script that kills other miners, then fetches and keeps its own"
        why = "The infection script of cloud miners: nobody else ends their rivals by name"
        reference = "T1496"
        level = "malicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $kill = /(pkill|killall|kill\s{1,2}-9|ps\s{1,2}(aux|-ef)[^\n]{0,40}grep)\s[^\n]{0,60}(xmrig|kinsing|kdevtmpfsi|minerd|cryptonight|stratum|xmr-?stak|sysrv|watchbog|ddgs|qw3xt|kthreaddi|networkservice|sysupdate|monero|nanopool|minergate|supportxmr|c3pool|hashvault)/ nocase
        $get = /(curl|wget)\s[^\n]{0,160}(https?:\/\/|([0-9]{1,3}\.){3}[0-9]{1,3})/
        $keep = /crontab|\/etc\/cron|systemctl\s{1,2}(enable|start)|authorized_keys|rc\.local|nohup|chattr\s{1,2}[+-]i/
    condition:
        filesize < 512KB and uint32be(0) != 0x7f454c46 and #kill > 2 and $get and $keep
}

rule Tocsin_JS_Miner_BrowserMiner
{
    meta:
        description = "Web page that starts a coin miner in the visitor's browser"
        why = "Uses the visitor's processor without asking"
        reference = "T1496"
        level = "suspicious"
        author = "tocsin"
        license = "Apache-2.0"
    strings:
        $a = /new\s{1,3}(CoinHive|CryptoLoot|Coinimp|Client|deepMiner|WebMinePool|JSEcoin|CoinIMP|PPoi|CryptoNoter|MinerBlock)\.(Anonymous|User|Token|Miner)\s?\(\s?["'][A-Za-z0-9]{16}/ nocase
        $wasm = /new\s{1,3}WebSocket\s?\(\s?["']wss?:\/\/[^"'\n]{4,120}["']/ nocase
        $job = /["']?job_id["']?/ nocase
        $login = /["']?(identifier|method|type)["']?\s?:\s?["'](handshake|login|auth|job|solved|submit)["']/ nocase
        $algo = /cryptonight|cn-lite|randomx|cn\/r|yespower/ nocase
        $nonce = /\bnonce\b/
    condition:
        filesize < 2MB and ($a or ($wasm and $job and $login and $algo and $nonce))
}
