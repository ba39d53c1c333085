using System.Collections.Immutable;
using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Linux.Procfs;
using MPSec.Linux.Values;

namespace MPSec.Features.Connections;

/// <summary>Everything that is known of one connection.</summary>
public sealed partial class ConnectionDetails(IStringLocalizer<ConnectionsTexts> texts, SocketOwners owners, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private (ConnectionKey Key, uint Inode)? _asked;
    private SocketOwnerAnswer? _owners;
    private DateTimeOffset? _begun;

    /// <summary>The connection.</summary>
    [Parameter, EditorRequired]
    public required ConnectionRow Row { get; set; }

    /// <summary>Its gateway.</summary>
    [Parameter, EditorRequired]
    public required GatewayName Gateway { get; set; }

    /// <summary>Counters of the gateway that tell why connections fell back.</summary>
    [Parameter]
    public ImmutableArray<ConnectionCounter> Causes { get; set; } = [];

    /// <summary>The connection has ended; its last figures show.</summary>
    [Parameter]
    public bool Gone { get; set; }

    /// <summary>The reader closes the pane.</summary>
    [Parameter]
    public EventCallback OnClose { get; set; }

    private IStringLocalizer<ConnectionsTexts> L => texts;

    private ConnectionWords Words => field ??= new(texts);

    private (StateKind Kind, string Text, string? Hint) State => Words.State(Row);

    private ConnectionFigure Sending => Words.Rate(Row.SendBits, Row.Kernel.BytesSent is not null);

    private ConnectionFigure Receiving => Words.Rate(Row.ReceiveBits, Row.Kernel.BytesReceived is not null);

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        var (key, inode) = (Row.Key, Row.Kernel.Inode);
        if (_asked == (key, inode))
        {
            return;
        }

        (_asked, _owners, _begun) = ((key, inode), null, null);
        try
        {
            // Looks into every open file of the machine: not on the thread that renders.
            var found = await Task.Run(() => owners.Find(inode, _stop.Token), _stop.Token);
            if (_asked == (key, inode))
            {
                _owners = found;
            }
        }
        catch (OperationCanceledException)
        {
            // The pane was closed.
        }
    }

    private Task OnKey(KeyboardEventArgs e) => e.Key == "Escape" ? OnClose.InvokeAsync() : Task.CompletedTask;

    private IEnumerable<(string Name, ConnectionFigure Figure, string? Css)> Facts()
    {
        var k = Row.Kernel;
        yield return ("token", Words.Word(Row.Token, L["WhyNotTold"]), "mono");
        yield return ("local", new(Row.Local.ToString(), k.Local.ToString()), "mono");
        yield return ("remote", new(Row.Remote.ToString(), k.Remote.ToString()), "mono");
        yield return ("process", Program, null);
        yield return ("fallback", Row.IsFallback is { } fallback ? new(L[fallback ? "FallbackYes" : "FallbackNo"], L["ExactFlags", k.Flags ?? 0]) : Words.Word(null, L["WhyNotTold"]), Row.IsFallback == true ? "c-warn b" : "c-ok b");
        yield return ("subflows", Subflows, null);
        yield return ("addresses", k is { AddAddrSignal: { } signal, AddAddrAccepted: { } accepted } ? new(L["Addresses", signal, accepted], L["AddressesHint"]) : Words.Word(null, L["WhyNotTold"]), null);
        yield return ("sent", Words.Bytes(k.BytesSent, "6.5"), null);
        yield return ("acked", Words.Bytes(k.BytesAcked, "6.5"), null);
        yield return ("received", Words.Bytes(k.BytesReceived, "6.5"), null);
        yield return ("again", Words.Bytes(k.BytesRetransmitted, "6.5"), k.BytesRetransmitted > 0 ? "c-warn b" : null);
        yield return ("retrans", Words.Count(Row.Retransmissions, "5.6"), Row.Retransmissions > 0 ? "c-warn b" : null);
        yield return ("ooo", Words.Count(Row.OutOfOrder, "5.6"), null);
        yield return ("rtt", Words.Time(Row.RttMs), null);
        yield return ("flight", Words.Bytes(Row.FlightBytes, "5.6"), null);
        yield return ("queues", new($"{Figures.Bytes(k.SendQueue)} · {Figures.Bytes(k.ReceiveQueue)}", $"{k.SendQueue} · {k.ReceiveQueue}"), null);
        yield return ("lastSent", Words.Idle(k.LastDataSentMs), null);
        yield return ("lastReceived", Words.Idle(k.LastDataReceivedMs), null);
        yield return ("cc", Words.Word(string.Join(", ", Row.Subflows.Select(s => s.Kernel.CongestionControl).OfType<string>().Distinct()), L["WhyNotTold"]), null);
        yield return ("age", _begun is { } begun && time.GetUtcNow() - begun is { Ticks: > 0 } age && !Gone ? new(Figures.Duration(age), begun.ToLocalTime().ToString("G", CultureInfo.CurrentCulture)) : Words.Word(null, L["WhyNoAge"]), null);
    }

    private ConnectionFigure Subflows
    {
        get
        {
            var seen = Row.Subflows.Length.ToString(CultureInfo.CurrentCulture);
            return Row.Kernel.SubflowsMax is { } most
                ? new(L["SubflowsOf", seen, most + 1], L["SubflowsHint", Row.Kernel.Subflows ?? 0, most])
                : new(seen, seen);
        }
    }

    private ConnectionFigure Program => _owners switch
    {
        null => new(Figures.Missing, L["WhyAsking"]),
        { Owners.IsEmpty: false } found => new(string.Join(", ", found.Owners.Take(3).Select(o => $"{o.Name} ({o.Pid})")), string.Join(", ", found.Owners.Select(o => $"{o.Name} ({o.Pid})"))),
        { NotPermitted: true } => new(Figures.Missing, L["WhyNotPermitted"]),
        _ => new(Figures.Missing, L["WhyNoProgram"]),
    };
}
