"""Varlink calls turned into calls of the methods, and what comes of them into replies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable

from ndfd.errors import NdfdError, NotPermitted, ShuttingDown
from ndfd.model.conversion import Converted, ConvertOptions, PageReport
from ndfd.protocol import varlink, varlink_interfaces
from ndfd.protocol.varlink import CallRefusedError, decode_parameters
from ndfd.protocol.varlink_interfaces import Convert, ConvertReply, ReplyKind, ServiceInfo
from ndfd.server.hangup import PeerGoneError, cancelled_on_hangup
from ndfd.server.intake import document_size
from ndfd.server.methods import Admission
from ndfd.server.pending import PendingConversion
from ndfd.server.repeating import REPEATABLE
from ndfd.server.varlink_exchange import Exchange, convert_options, document_descriptor, send_result
from ndfd.server.varlink_jobs import job_handlers

_log = logging.getLogger(__name__)

#: Page events kept for a caller that reads slowly; the ones after them are not sent. About 1 MiB.
_PAGES_WAITING_MAX = 4096


class VarlinkCalls:
    """Answers exchanges, one at a time per connection."""

    def __init__(self, service: ServiceInfo) -> None:
        self._service = service
        self._handlers: dict[str, Callable[[Exchange], Awaitable[None]]] = {
            varlink_interfaces.CONVERT: self._convert,
            varlink_interfaces.GET_STATUS: self._get_status,
            varlink_interfaces.GET_CRASHES: self._get_crashes,
            varlink_interfaces.GET_HARDWARE: self._get_hardware,
            varlink_interfaces.GET_CONFIGURATION: self._get_configuration,
            varlink_interfaces.RELOAD: self._reload,
            varlink_interfaces.RENEW_WORKERS: self._renew,
            **job_handlers(),
            varlink_interfaces.GET_INFO: self._get_info,
            varlink_interfaces.GET_INTERFACE_DESCRIPTION: self._get_interface_description,
        }

    async def serve(self, exchange: Exchange) -> None:
        """Answers the call to its last reply, unless it is left to another daemon.

        `PeerGoneError` when nobody is there any more to take the reply.
        """
        try:
            handler = self._handler(exchange)
            if not REPEATABLE[exchange.method]:
                exchange.stream.touch()
            await handler(exchange)
            return
        except PeerGoneError:
            raise
        except asyncio.CancelledError:
            # Only the door's stop cancels a call.
            if not exchange.stream.left:
                await exchange.say_at_once(ShuttingDown("the daemon stopped before the call ended"))
            raise
        except ShuttingDown as error:
            if exchange.stream.left:
                return
            reply = exchange.failed(error)
        except CallRefusedError as refused:
            reply = refused.reply
        except NotPermitted:
            reply = varlink.permission_denied()
        except NdfdError as error:
            reply = exchange.failed(error)
        except Exception:  # noqa: BLE001 - a fault in one call must not take the connection's other calls with it
            _log.exception("%s failed in a way that it should not", exchange.method)
            reply = exchange.failed(NdfdError(f"{exchange.method} failed inside the daemon"))
        if not exchange.answer.ended:
            await exchange.send(exchange.answer.fail(reply))

    def _handler(self, exchange: Exchange) -> Callable[[Exchange], Awaitable[None]]:
        handler = self._handlers.get(exchange.method)
        if handler is None:
            if exchange.interface in varlink_interfaces.INTERFACES:
                raise CallRefusedError(varlink.method_not_found(exchange.method))
            raise CallRefusedError(varlink.interface_not_found(exchange.interface))
        if exchange.upgrade:
            raise CallRefusedError(varlink.method_not_implemented(exchange.method))
        return handler

    async def _get_info(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetInfo)
        await exchange.send(exchange.answer.finish(self._service))

    async def _get_interface_description(self, exchange: Exchange) -> None:
        asked = decode_parameters(exchange.take_parameters(), varlink_interfaces.GetInterfaceDescription)
        if asked.interface not in varlink_interfaces.INTERFACES:
            raise CallRefusedError(varlink.interface_not_found(asked.interface))
        text = varlink_interfaces.interface_description(asked.interface)
        await exchange.send(exchange.answer.finish(varlink_interfaces.InterfaceDescription(text)))

    async def _get_status(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetStatus)
        await exchange.send(exchange.answer.finish(exchange.methods.status(exchange.peer)))

    async def _get_crashes(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetCrashes)
        await exchange.send(exchange.answer.finish(exchange.methods.crashes(exchange.peer)))

    async def _get_hardware(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetHardware)
        async with cancelled_on_hangup(exchange.stream.sock):
            info = await exchange.methods.info(exchange.peer)
        await exchange.send(exchange.answer.finish(info))

    async def _get_configuration(self, exchange: Exchange) -> None:
        decode_parameters(exchange.take_parameters(), varlink_interfaces.GetConfiguration)
        await exchange.send(exchange.answer.finish(exchange.methods.configuration(exchange.peer)))

    async def _reload(self, exchange: Exchange) -> None:
        asked = decode_parameters(exchange.take_parameters(), varlink_interfaces.Reload)
        report = await exchange.methods.reload(exchange.peer, dry_run=asked.dry_run or False)
        await exchange.send(exchange.answer.finish(report))

    async def _renew(self, exchange: Exchange) -> None:
        asked = decode_parameters(exchange.take_parameters(), varlink_interfaces.RenewWorkers)
        async with cancelled_on_hangup(exchange.stream.sock):
            report = await exchange.methods.renew(exchange.peer, asked.pool)
        await exchange.send(exchange.answer.finish(report))

    async def _convert(self, exchange: Exchange) -> None:
        async with contextlib.AsyncExitStack() as stack:
            document_fd, options, kind = await self._open(exchange, stack)
            size_bytes = document_size(document_fd)
            admission = stack.enter_context(exchange.methods.admitted(exchange.peer, size_bytes, options.pool))
            async with (
                cancelled_on_hangup(exchange.stream.sock),
                _converted(exchange, admission, document_fd, options) as result,
            ):

                def reply(content: str | None, fd: int | None) -> ConvertReply:
                    return ConvertReply(exchange.generation, content=content, fd=fd, report=result.report)

                await send_result(exchange, result.fd, kind, reply)

    async def _open(
        self, exchange: Exchange, stack: contextlib.AsyncExitStack
    ) -> tuple[int, ConvertOptions, ReplyKind]:
        asked = decode_parameters(exchange.take_parameters(), Convert)
        options = convert_options(asked)
        document_fd = await stack.enter_async_context(document_descriptor(exchange, asked.document))
        return document_fd, options, asked.reply or ReplyKind.INLINE


@contextlib.asynccontextmanager
async def _converted(
    exchange: Exchange, admission: Admission, document_fd: int, options: ConvertOptions
) -> AsyncIterator[Converted]:
    """The conversion's result, its pages having been sent; whatever happens, nothing of it stays behind."""
    pages: asyncio.Queue[PageReport | None] = asyncio.Queue()

    def on_page(page: PageReport) -> None:
        if pages.qsize() < _PAGES_WAITING_MAX:
            pages.put_nowait(page)

    streams = exchange.answer.may_continue
    conversion = admission.convert(document_fd, options, on_page if streams else None)
    async with PendingConversion(conversion) as pending:
        pending.task.add_done_callback(lambda _: pages.put_nowait(None))
        while (page := await pages.get()) is not None:
            await exchange.send(exchange.answer.proceed(ConvertReply(generation=exchange.generation, page=page)))
        yield await pending.task
