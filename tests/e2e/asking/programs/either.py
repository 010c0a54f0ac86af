# Waits for the terminal and for the network, whichever comes first, as asyncio does; says its argument before.
import asyncio
import sys


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    print(sys.argv[1], end="", flush=True)
    async with server:
        await reader.readline()


asyncio.run(main())
