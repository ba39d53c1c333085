using System.Collections.Immutable;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Components.Controls;
using MPSec.Components.Layout;
using MPSec.Linux.Gateways;
using MPSec.Linux.Values;
using MPSec.Live;

namespace MPSec.Features.Connections;

/// <summary>The Connections page. Filter, order, columns and the chosen connection live in the address, so that a link shows the same.</summary>
public sealed partial class ConnectionsPage(
    ILiveFeeds<GatewaySnapshot, RatePoint> feeds,
    ConnectionsService service,
    TimeProvider time,
    NavigationManager navigation,
    IStringLocalizer<ConnectionsTexts> texts) : IDisposable
{
    private const string TimelineTab = "timeline";
    private static readonly string[] s_tabs = ["connections", TimelineTab];
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(300);

    private readonly ConnectionOrder _order = new();
    private readonly HashSet<ConnectionKey> _open = [];
    private string? _gateway;
    private readonly List<ConnectionsAddress> _written = [];
    private ConnectionsAddress _seen = new(null, null, null, null);
    private CancellationTokenSource? _writing;
    private LiveFeed<GatewaySnapshot, RatePoint>? _feed;
    private IDisposable? _subscription;
    private Sample<GatewaySnapshot>? _sample;
    private ConnectionsSnapshot? _shown;
    private List<ConnectionRow> _rows = [];
    private List<ConnectionLine> _lines = [];
    private ConnectionFilter _filter = ConnectionFilter.All;
    private ConnectionFilterProblem? _problem;
    private string _text = "";
    private string _parsed = "";
    private ConnectionSort _sort = ConnectionSort.Usual;
    private ImmutableArray<ConnectionColumn> _columns = ConnectionColumn.Parse(null);
    private string? _token;
    private ConnectionRow? _selected;
    private bool _gone;
    private bool _paused;
    private DateTimeOffset _pausedAt;

    /// <summary>The gateway of this page.</summary>
    [CascadingParameter(Name = GatewayLink.Parameter)]
    public string Gateway { get; set; } = "host";

    /// <summary>The filter.</summary>
    [SupplyParameterFromQuery(Name = "filter")]
    public string? Filter { get; set; }

    /// <summary>The order: <c>rtt</c> or <c>-rtt</c>.</summary>
    [SupplyParameterFromQuery(Name = "sort")]
    public string? Sort { get; set; }

    /// <summary>The columns, separated by commas.</summary>
    [SupplyParameterFromQuery(Name = "columns")]
    public string? Columns { get; set; }

    /// <summary>Token of the connection whose details show.</summary>
    [SupplyParameterFromQuery(Name = "token")]
    public string? Token { get; set; }

    /// <summary><c>timeline</c> for the events; the connections otherwise.</summary>
    [SupplyParameterFromQuery(Name = "tab")]
    public string? Tab { get; set; }

    /// <summary>Kinds of events, separated by commas; null for all.</summary>
    [SupplyParameterFromQuery(Name = EventTimeline.KindsKey)]
    public string? EventKinds { get; set; }

    /// <summary>Only events of this interface.</summary>
    [SupplyParameterFromQuery(Name = EventTimeline.OnKey)]
    public string? EventPath { get; set; }

    /// <summary>Only events of the connection with this token.</summary>
    [SupplyParameterFromQuery(Name = EventTimeline.OfKey)]
    public string? EventToken { get; set; }

    /// <summary>Text that must occur in an event.</summary>
    [SupplyParameterFromQuery(Name = EventTimeline.FindKey)]
    public string? EventText { get; set; }

    private IStringLocalizer<ConnectionsTexts> L => texts;

    private string ShownTab => Tab == TimelineTab ? TimelineTab : s_tabs[0];

    private IReadOnlyDictionary<string, int> Numbers => _sample?.Value is { } snapshot ? service.NumbersOf(snapshot.Reading) : new Dictionary<string, int>();

    private ConnectionWords Words => field ??= new(texts);

    private GatewayName Name => GatewayName.Parse(Gateway);

    private ConnectionFigure Sending => Words.Rate(_shown?.SendBits, counted: true);

    private ConnectionFigure Receiving => Words.Rate(_shown?.ReceiveBits, counted: true);

    private string? JoinHint => _shown is { JoinFailures: { IsEmpty: false } c } ? L["JoinHint", Listed(c)].Value : null;

    private string CauseHint => _shown is { FallbackCauses: { IsEmpty: false } c } ? L["CauseHint", Listed(c)] : L["CauseNone"];

    private string ExportAddress => $"api/v1/gateways/{Uri.EscapeDataString(Gateway)}/connections" + (_filter.Count > 0 ? "?filter=" + Uri.EscapeDataString(_filter.Text) : "");

    private (string Text, StateKind Kind) StateLine => (_sample, _shown) switch
    {
        ({ Failure: not null }, _) => (L["StateFailed"], StateKind.Down),
        (_, null) => (L["StateWaiting"], StateKind.Unknown),
        (_, { Rows.IsEmpty: true }) => (L["StateNone"], StateKind.Unknown),
        (_, { Fallbacks: > 0 } s) => (L["StateSomeFellBack", s.Rows.Length, s.Subflows, s.Fallbacks], StateKind.Degraded),
        (_, { Rows.Length: 1 } s) => (L["StateGoodOne", s.Subflows], StateKind.Up),
        (_, { } s) => (L["StateGood", s.Rows.Length, s.Subflows], StateKind.Up),
    };

    private PanelCondition Condition => (_sample, _shown) switch
    {
        (null, _) => PanelCondition.Loading,
        _ when _paused => PanelCondition.Paused,
        ({ Failure: not null }, null) => PanelCondition.Error,
        ({ Failure: not null }, _) => PanelCondition.Stale,
        (_, { Rows.IsEmpty: true }) => PanelCondition.Empty,
        _ => PanelCondition.Ready,
    };

    private string? ConditionTitle => Condition switch
    {
        PanelCondition.Empty => L["Empty"].Value,
        PanelCondition.Error => L["StateFailed"].Value,
        _ => null,
    };

    private string? ConditionDetail => Condition switch
    {
        PanelCondition.Empty => L[_shown?.MptcpEnabled switch { null => "EmptyNoMptcp", false => "EmptyOff", _ => "EmptyWhy" }].Value,
        PanelCondition.Loading => L["StateWaiting"].Value,
        PanelCondition.Error or PanelCondition.Stale => L[_sample!.Failure!.Code switch { "gone" => "FailedGone", "permission" => "FailedPermission", _ => "FailedUnreadable" }].Value,
        _ => null,
    };

    private EventCallback ResumeOrRetry => EventCallback.Factory.Create(this, () =>
    {
        if (_paused)
        {
            SetPaused(false);
        }
        else
        {
            _feed?.Wake();
        }
    });

    /// <summary>What stands in the box. It counts when the keys rest, so that half a word does not empty the list.</summary>
    private string FilterText
    {
        get => _text;
        set
        {
            _text = value;
            _ = WriteAddressAsync(s_quiet);
        }
    }

    private bool OrderIsOld { get; set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _subscription?.Dispose();
        _writing?.Cancel();
        _writing?.Dispose();
    }

    /// <inheritdoc/>
    protected override void OnParametersSet()
    {
        var address = new ConnectionsAddress(Filter, Sort, Columns, Token);
        if (address != _seen)
        {
            _seen = address;
            var own = _written.LastIndexOf(address);
            _written.RemoveRange(0, own < 0 ? _written.Count : own + 1);
            Apply(own < 0);
        }

        if (_gateway != Gateway)
        {
            Follow();
        }

        Arrange();
    }

    // What the page wrote itself comes back from the browser a little later; then it may already have gone on.
    private void Apply(bool foreign)
    {
        if (foreign)
        {
            SetFilter(Filter ?? "");
            (_sort, _columns, _token) = (ConnectionSort.Parse(Sort), ConnectionColumn.Parse(Columns), Token);
            _order.Reset();
        }
    }

    private void Follow()
    {
        _gateway = Gateway;
        _subscription?.Dispose();
        _order.Reset();
        _open.Clear();
        (_sample, _shown, _paused, _selected, _subscription) = (null, null, false, null, null);
        if (!GatewayName.TryParse(Gateway, out var name, out _))
        {
            _sample = new(null, time.GetUtcNow(), 0, new("gone", Gateway, time.GetUtcNow()));
            return;
        }

        _feed = feeds.Get(name.Value);
        Take(_feed.Store.Current);
        _subscription = _feed.Store.Subscribe(async sample =>
        {
            // Rows are made off the circuit and only once for all who look.
            _ = sample.Value is { } snapshot ? service.Of(snapshot) : null;
            await InvokeAsync(() =>
            {
                if (!_paused)
                {
                    Take(sample);
                    Arrange();
                    StateHasChanged();
                }
            });
        });
    }

    private void Take(Sample<GatewaySnapshot>? sample)
    {
        _sample = sample;
        _shown = sample?.Value is { } snapshot ? service.Of(snapshot) : null;
    }

    /// <summary>Makes the lines from the rows, the filter, the order and what is unfolded.</summary>
    private void Arrange()
    {
        var all = _shown?.Rows ?? [];
        _rows = _order.Arrange(all, _sort);
        if (_filter.Count > 0)
        {
            _rows.RemoveAll(r => !_filter.Matches(r));
        }

        OrderIsOld = !IsSorted(_rows, _sort);
        if (_open.Count > 0)
        {
            _open.IntersectWith(all.Select(r => r.Key));
        }

        _lines = ConnectionLine.Of(_rows, _open);
        var chosen = _token is null ? null : all.FirstOrDefault(r => r.Token == _token);
        _gone = chosen is null && _token is not null && _selected?.Token == _token;
        _selected = chosen ?? (_gone ? _selected : null);
    }

    // While it cannot be understood, the last good filter stays in force.
    private void SetFilter(string text)
    {
        _text = _parsed = text;
        if (ConnectionFilter.TryParse(text, out var filter, out _problem))
        {
            _filter = filter;
        }
    }

    private void SetPaused(bool paused)
    {
        _paused = paused;
        _pausedAt = time.GetUtcNow();
        if (!paused)
        {
            Take(_feed?.Store.Current);
            Arrange();
        }
    }

    private Task SortBy(ConnectionColumn column)
    {
        _sort = new(column, column == _sort.Column ? !_sort.Descending : column.IsNumber);
        SortAgain();
        return WriteAddressAsync(TimeSpan.Zero);
    }

    private void SortAgain()
    {
        _order.Reset();
        Arrange();
    }

    private Task Choose(ConnectionColumn column, bool shown)
    {
        _columns = [.. ConnectionColumn.Chosen.Where(c => c == column ? shown : _columns.Contains(c))];
        return WriteAddressAsync(TimeSpan.Zero);
    }

    private void Fold(ConnectionRow row)
    {
        if (!_open.Remove(row.Key))
        {
            _open.Add(row.Key);
        }

        Arrange();
    }

    private Task Select(ConnectionRow row)
    {
        (_token, _selected, _gone) = (row.Token, row, false);
        _open.Add(row.Key);
        Arrange();
        return WriteAddressAsync(TimeSpan.Zero);
    }

    private Task CloseDetails()
    {
        if (_selected is null)
        {
            return Task.CompletedTask;
        }

        (_token, _selected, _gone) = (null, null, false);
        return WriteAddressAsync(TimeSpan.Zero);
    }

    private Task ShowAll()
    {
        _text = "";
        return WriteAddressAsync(TimeSpan.Zero);
    }

    private async Task WriteAddressAsync(TimeSpan after)
    {
        _writing?.Cancel();
        _writing?.Dispose();
        var writing = _writing = new();
        try
        {
            if (after > TimeSpan.Zero)
            {
                await Task.Delay(after, time, writing.Token);
            }
        }
        catch (OperationCanceledException)
        {
            return; // another key was pressed, or the page was left
        }

        if (_text != _parsed)
        {
            SetFilter(_text);
            Arrange();
            StateHasChanged();
        }

        var address = new ConnectionsAddress(
            _filter.Count > 0 ? _filter.Text : null,
            _sort == ConnectionSort.Usual ? null : _sort.ToString(),
            _columns.SequenceEqual(ConnectionColumn.Parse(null)) ? null : string.Join(',', _columns.Select(c => c.Key)),
            _token);
        if (address != (_written.Count > 0 ? _written[^1] : _seen))
        {
            _written.Add(address);
            navigation.NavigateTo(
                navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { ["filter"] = address.Filter, ["sort"] = address.Sort, ["columns"] = address.Columns, ["token"] = address.Token }),
                replace: true);
        }
    }

    private static bool IsSorted(List<ConnectionRow> rows, ConnectionSort sort)
    {
        var comparer = Comparer<IComparable?>.Default;
        for (var i = 1; i < rows.Count; i++)
        {
            var (a, b) = (sort.Column.Value(rows[i - 1]), sort.Column.Value(rows[i]));
            if (a is null ? b is not null : b is not null && (sort.Descending ? comparer.Compare(a, b) < 0 : comparer.Compare(a, b) > 0))
            {
                return false;
            }
        }

        return true;
    }

    private static string Listed(ImmutableArray<ConnectionCounter> counters) => string.Join(", ", counters.Select(c => $"{c.Name} {Figures.Count(c.Value)}"));

    // At most 40 characters on each side, so that the place stays in sight.
    private string Before(ConnectionFilterProblem p) => _parsed[Math.Max(0, p.Position - 40)..Math.Min(p.Position, _parsed.Length)];

    private string Wrong(ConnectionFilterProblem p) => p.Length == 0 || p.Position >= _parsed.Length ? " " : _parsed[p.Position..Math.Min(_parsed.Length, p.Position + Math.Min(p.Length, 40))];

    private string After(ConnectionFilterProblem p) => p.Position + p.Length >= _parsed.Length || p.Length > 40 ? "" : _parsed[(p.Position + p.Length)..Math.Min(_parsed.Length, p.Position + p.Length + 40)];

    private sealed record ConnectionsAddress(string? Filter, string? Sort, string? Columns, string? Token);
}
