"""discord.py, as it comes from PyPI, as a bot on localcord.

    SSL_CERT_FILE=ca.pem python run.py SUMMARY LOCALCORD proxy|base

SUMMARY is a file with the JSON line of `localcord serve --json`, LOCALCORD the binary.

`proxy`: discord.py's own `proxy` option; it talks to discord.com, gateway.discord.gg and the voice
endpoint as it always does, and gets there through localcord's CONNECT proxy. With zstd-stream, its
default.

`base`: its two fixed addresses, the base URL of REST and the address of the gateway, are replaced.
Without TLS, and with zlib-stream, its default where no zstd package is installed.
"""

import asyncio
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

SUMMARY, LOCALCORD, WAY = json.loads(Path(sys.argv[1]).read_text()), sys.argv[2], sys.argv[3]
if WAY == "base":
    # As if it were not installed.
    sys.modules["zstandard"] = None

import discord
import yarl
from discord import app_commands
from discord.gateway import DiscordWebSocket

STEP_SECONDS = 20
FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "audio"


def check(fact, what):
    if not fact:
        raise AssertionError(f"not so: {what}")
    print(f"  ok  {what}", flush=True)


class Control:
    """localcord's control API."""

    async def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{SUMMARY['control_url']}/{path}",
            data=data,
            method=method,
            headers={"content-type": "application/json"},
        )
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, self._send, request)

    @staticmethod
    def _send(request):
        # Past any proxy of the environment: the control API is on this machine.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            content = response.read()
            is_json = "application/json" in response.headers.get("content-type", "")
            return json.loads(content) if is_json else content

    async def get(self, path):
        return await self.call("GET", path)

    async def post(self, path, body):
        return await self.call("POST", path, body)


def named(kind, name):
    return int(next(one["id"] for one in SUMMARY[kind] if one["name"] == name))


async def ping(interaction: discord.Interaction):
    await interaction.response.send_message("pong", ephemeral=True)


async def say(interaction: discord.Interaction, text: str):
    await interaction.response.defer()
    await interaction.edit_original_response(content=f"you said {text}")
    await interaction.followup.send("and more")


class Bot(discord.Client):
    def __init__(self):
        intents = discord.Intents.default()
        intents.message_content = True
        intents.members = True
        options = {"proxy": SUMMARY["proxy_url"]} if WAY == "proxy" else {}
        super().__init__(intents=intents, **options)
        self.tree = app_commands.CommandTree(self)
        self.tree.command(name="ping", description="answers at once")(ping)
        self.tree.command(name="say", description="answers later")(say)


async def talk_in_writing(bot, control, channel):
    sent = await channel.send("hello from discord.py")
    check(sent.author.id == bot.user.id, "a message is sent")
    edited = await sent.edit(content="edited")
    check(edited.content == "edited" and edited.edited_at is not None, "a message is edited")
    history = [message.id async for message in channel.history(limit=5)]
    check(sent.id in history, "a message is listed")
    await sent.add_reaction("👍")
    await sent.delete()
    try:
        await channel.fetch_message(sent.id)
        found = True
    except discord.NotFound as error:
        found = error.code != 10008
    check(not found, "a deleted message is unknown (10008)")

    ada = named("humans", "ada")
    heard = asyncio.create_task(
        bot.wait_for("message", check=lambda message: message.author.id == ada, timeout=STEP_SECONDS)
    )
    await asyncio.sleep(0)
    await control.post(f"humans/{ada}/messages", {"channel_id": str(channel.id), "content": "hi bot"})
    check((await heard).content == "hi bot", "a human's message arrives with its content")
    try:
        await channel.send("x" * 2001)
        code = None
    except discord.HTTPException as error:
        code = error.code
    check(code == 50035, "a message of 2001 characters is refused with 50035")


async def answer_commands(bot, control, guild, channel):
    bot.tree.copy_global_to(guild=guild)
    synced = await bot.tree.sync(guild=guild)
    check({command.name for command in synced} == {"ping", "say"}, "slash commands are synced")
    ada = named("humans", "ada")

    async def command(name, options):
        body = {"name": name, "options": options, "channel_id": str(channel.id)}
        return json.dumps(await control.post(f"humans/{ada}/commands?wait=true", body))

    more = asyncio.create_task(
        bot.wait_for("message", check=lambda it: it.content == "and more", timeout=STEP_SECONDS)
    )
    check('"pong"' in await command("ping", {}), "a command is answered at once")
    check("you said this" in await command("say", {"text": "this"}), "a command is answered later")
    check((await more).author.id == bot.user.id, "a follow-up is sent")


async def talk(bot, control, guild):
    ada, ben = named("humans", "ada"), named("humans", "ben")
    lounge = guild.get_channel(named("channels", "Lounge"))
    await control.post(f"humans/{ada}/voice?wait=true", {"channel_id": str(lounge.id)})
    voice = await lounge.connect(timeout=STEP_SECONDS, reconnect=False)
    # Again, to wait until she shares an epoch with the bot.
    await control.post(f"humans/{ada}/voice?wait=true", {"channel_id": str(lounge.id)})
    before = await control.get(f"humans/{ada}/stats")
    check(before["dave_protocol_version"] == 1, "the channel is end-to-end encrypted")
    check(str(bot.user.id) in before["members"], "the human and the bot share an epoch")
    check(voice.voice_privacy_code is not None, "discord.py knows the voice privacy code")

    if discord.opus.is_loaded() or discord.opus._load_default():
        done = asyncio.get_running_loop().create_future()
        source = discord.PCMAudio(stereo_48k(FIXTURES / "answer.wav"))
        loop = asyncio.get_running_loop()
        voice.play(source, after=lambda error: loop.call_soon_threadsafe(done.set_result, error))
        # Another human joins meanwhile, which changes the epoch.
        await control.post(f"humans/{ben}/voice?wait=true", {"channel_id": str(lounge.id)})
        error = await asyncio.wait_for(done, 60)
        if error:
            raise error
        heard = await control.get(f"humans/{ada}/heard?from={bot.user.id}")
        alike = await similarity(FIXTURES / "answer.wav", heard)
        check(alike >= 0.9, f"a human hears the bot (similarity {alike:.3f})")
        stats = await control.get(f"humans/{ada}/stats")
        check(stats["current_epoch"] > before["current_epoch"], "the epoch changed meanwhile")
        check(stats["undecryptable_after_ready"] == 0, "every frame was decryptable")
        check(stats["decode_errors"] == 0, "every frame was Opus")
        await control.post(f"humans/{ben}/voice", {"channel_id": None})
    else:
        print("  no libopus that discord.py can load: nothing is played", flush=True)

    await voice.disconnect()
    states = (await control.get("state"))["voice_states"]
    check(all(state["user_id"] != str(bot.user.id) for state in states), "the bot left voice")
    await control.post(f"humans/{ada}/voice", {"channel_id": None})


def stereo_48k(path):
    """24 kHz mono to what `discord.PCMAudio` plays, by repeating samples."""
    import io
    import wave

    with wave.open(str(path)) as wav:
        assert (wav.getframerate(), wav.getnchannels(), wav.getsampwidth()) == (24_000, 1, 2)
        frames = wav.readframes(wav.getnframes())
    return io.BytesIO(b"".join(frames[n : n + 2] * 4 for n in range(0, len(frames), 2)))


async def similarity(reference, heard):
    """How much of a WAV is in another, by `localcord compare`."""
    command = [LOCALCORD, "compare", "--json", str(reference), "/dev/stdin"]
    loop = asyncio.get_running_loop()
    run = lambda: subprocess.run(command, input=heard, stdout=subprocess.PIPE, check=True).stdout
    return json.loads(await loop.run_in_executor(None, run))["score"]


async def main():
    discord.utils.setup_logging(level=30)
    if WAY == "base":
        discord.http.Route.BASE = SUMMARY["api_url"]
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(SUMMARY["gateway_url"])
    compression = discord.utils._ActiveDecompressionContext.COMPRESSION_TYPE
    wanted = "zstd-stream" if WAY == "proxy" else "zlib-stream"
    check(compression == wanted, f"its default compression is {wanted}")

    bot, control = Bot(), Control()
    async with bot:
        running = asyncio.create_task(bot.start(SUMMARY["bot_token"]))
        ready = asyncio.create_task(bot.wait_for("ready", timeout=STEP_SECONDS))
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        await ready
        check(bot.user.id == int(SUMMARY["bot_user_id"]), "READY names the bot")
        guild = bot.get_guild(int(SUMMARY["guild_id"]))
        check(guild is not None and guild.member_count >= 4, "GUILD_CREATE came")
        check(guild.chunked, "all members were sent on request")
        channel = guild.get_channel(named("channels", "general"))
        await talk_in_writing(bot, control, channel)
        await answer_commands(bot, control, guild, channel)
        await talk(bot, control, guild)
    await running
    print(f"discord.py by {WAY}: passed", flush=True)


asyncio.run(main())
