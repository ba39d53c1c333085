using System.Collections.Immutable;
using Microsoft.AspNetCore.Components;
using MPSec.Components.Controls;
using MPSec.Linux.Gateways;
using MPSec.Linux.Netlink;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.SystemStatus;

/// <summary>The interfaces of a gateway with what their drivers tell. Drivers are asked again when a link changed, and now and then.</summary>
public sealed partial class InterfacesCard(ILiveFeeds<GatewaySnapshot, RatePoint> feeds, SystemService service, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan s_oldest = TimeSpan.FromSeconds(10);

    private readonly CancellationTokenSource _stop = new();
    private LiveFeed<GatewaySnapshot, RatePoint>? _feed;
    private IDisposable? _subscription;
    private Sample<GatewaySnapshot>? _sample;
    private string? _shown;
    private ImmutableDictionary<int, LinkHardware> _hardware = ImmutableDictionary<int, LinkHardware>.Empty;
    private (int, string, uint)[] _asked = [];
    private long _askedAt;
    private bool _asking;

    /// <summary>Gateway whose interfaces show.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>Nothing moves.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _stop.Cancel();
        _stop.Dispose();
        _subscription?.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        if (_shown == Gateway)
        {
            return;
        }

        _shown = Gateway;
        _subscription?.Dispose();
        (_sample, _subscription, _asked, _hardware) = (null, null, [], ImmutableDictionary<int, LinkHardware>.Empty);
        if (!GatewayName.TryParse(Gateway, out var name, out var problem))
        {
            _sample = new(null, time.GetUtcNow(), 0, new("gone", problem!, time.GetUtcNow()));
            return;
        }

        _feed = feeds.Get(name.Value);
        _sample = _feed.Store.Current;
        _subscription = _feed.Store.Subscribe(sample => InvokeAsync(async () =>
        {
            if (!Paused && (sample.Value is null || sample.Value.Reading.Gateway.Value == Gateway))
            {
                _sample = sample;
                await AskAsync();
                StateHasChanged();
            }
        }));
        await AskAsync();
    }

    private static StateKind Kind(LinkReading link) => link switch
    {
        { IsUp: false } => StateKind.Off,
        { HasCarrier: false } => StateKind.Down,
        _ => StateKind.Up,
    };

    private static string Addresses(GatewaySnapshot snapshot, LinkReading link) =>
        string.Join('\n', snapshot.Reading.Addresses.Where(a => a.InterfaceIndex == link.Index).Select(a => a.Prefix.ToString()));

    private string? Why(LinkHardware? hardware) => hardware is { Reason: not SpeedReason.None and var reason } ? L[$"Speed_{reason}"].Value : null;

    private void Wake() => _feed?.Wake();

    private async Task AskAsync()
    {
        if (_asking || _sample is not { Failure: null, Value.Reading: { } reading })
        {
            return;
        }

        var links = reading.Links.Select(l => (l.Index, l.Name, l.Flags)).ToArray();
        if (links.SequenceEqual(_asked) && time.GetElapsedTime(_askedAt) < s_oldest)
        {
            return;
        }

        _asking = true;
        try
        {
            (_asked, _askedAt) = (links, time.GetTimestamp());
            var hardware = await service.ReadHardwareAsync(reading, _stop.Token);
            if (reading.Gateway.Value == Gateway)
            {
                _hardware = hardware;
            }
        }
        catch (Exception e) when (e is IOException or NetlinkFormatException or OperationCanceledException)
        {
            // The gateway is gone, which the next sample tells, or the page was left.
        }
        finally
        {
            _asking = false;
        }
    }
}
