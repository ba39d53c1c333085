using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using Microsoft.JSInterop;
using MPSec.Components;
using MPSec.Components.Controls;
using MPSec.Data.History;

namespace MPSec.Features.Connections;

/// <summary>
/// What happened in a gateway, newest first. Filters live in the address; the page hands them in, because a component that first shows with a new address must not ask
/// for it itself (the framework then changes the list of those who ask while it goes through it). New events come by themselves while the top is in sight; a reader who scrolled down is
/// told how many wait instead.
/// </summary>
public sealed partial class EventTimeline(HistoryStore store, NavigationManager navigation, IJSRuntime js, IStringLocalizer<ConnectionsTexts> texts) : IAsyncDisposable
{
    private const int PageSize = 1000;
    internal const string KindsKey = "kinds";
    internal const string OnKey = "on";
    internal const string OfKey = "of";
    internal const string FindKey = "find";

    private ElementReference _list;
    private IJSObjectReference? _module;
    private ExecutionContext? _context;
    private List<HistoryEvent> _events = [];
    private List<HistoryEvent> _fresh = [];
    private HashSet<string> _kinds = [];
    private HistoryStatus? _status;
    private (string, string?, string?, string?, string?)? _asked;
    private string? _problem;
    private bool _loaded;
    private int _loads;
    private bool _missed;
    private bool _more;
    private bool _disposed;

    /// <summary>The gateway.</summary>
    [Parameter, EditorRequired]
    public required string Gateway { get; set; }

    /// <summary>Numbers of the paths by interface.</summary>
    [Parameter]
    public IReadOnlyDictionary<string, int> Numbers { get; set; } = new Dictionary<string, int>();

    /// <summary>Nothing new comes.</summary>
    [Parameter]
    public bool Paused { get; set; }

    /// <summary>Kinds, separated by commas; null for all.</summary>
    [Parameter]
    public string? Kinds { get; set; }

    /// <summary>Only those of this interface.</summary>
    [Parameter]
    public string? On { get; set; }

    /// <summary>Only those of the connection with this token.</summary>
    [Parameter]
    public string? Of { get; set; }

    /// <summary>Text that must occur.</summary>
    [Parameter]
    public string? Find { get; set; }

    private IStringLocalizer<ConnectionsTexts> L => texts;

    private EventWords Words => field ??= new(texts);

    private bool IsFiltered => _kinds.Count > 0 || On is not null || Of is not null || !string.IsNullOrEmpty(Find);

    private string ExportAddress => $"api/v1/gateways/{Uri.EscapeDataString(Gateway)}/events?format=csv&limit=5000"
        + (_kinds.Count > 0 ? "&kind=" + Uri.EscapeDataString(string.Join(',', _kinds)) : "") + Part("path", On) + Part("token", TokenAsked is null ? null : Of) + Part("text", Find);

    private uint? TokenAsked => uint.TryParse(Of, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var token) ? token : null;

    private HistoryEventQuery Query => new(Gateway)
    {
        Kinds = [.. _kinds],
        Interface = On,
        Token = Of is null ? null : TokenAsked ?? 0,
        Text = Find,
        Limit = PageSize,
    };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _disposed = true;
        store.EventsStored -= OnStored;
        if (_module is not null)
        {
            try
            {
                await _module.DisposeAsync();
            }
            catch (JSDisconnectedException)
            {
                // The browser has gone.
            }
        }
    }

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        store.EventsStored += OnStored;
    }

    /// <inheritdoc/>
    protected override async Task OnParametersSetAsync()
    {
        var asked = (Gateway, Kinds, On, Of, Find);
        if (_asked != asked)
        {
            _asked = asked;
            _kinds = [.. (Kinds ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries).Where(HistoryEventKind.All.Contains)];
            await ReloadAsync();
        }
    }

    private static string Part(string name, string? value) => string.IsNullOrEmpty(value) ? "" : $"&{name}={Uri.EscapeDataString(value)}";

    private async Task ReloadAsync()
    {
        var asked = _asked;
        _loads++;
        try
        {
            do
            {
                _missed = false;
                if (await AskAsync(Query) is { } events && asked == _asked)
                {
                    (_events, _fresh, _loaded, _more) = ([.. events], [], true, events.Count == PageSize);
                }
            }
            while (_missed && asked == _asked && !_disposed);
        }
        finally
        {
            _loads--;
        }
    }

    private async Task OlderAsync()
    {
        if (_events.Count > 0 && await AskAsync(Query with { Before = _events[^1].Id }) is { } older)
        {
            _events = [.. _events, .. older];
            _more = older.Count == PageSize;
        }
    }

    private async Task<IReadOnlyList<HistoryEvent>?> AskAsync(HistoryEventQuery query)
    {
        try
        {
            var events = await Task.Run(() => store.Events(query));
            (_problem, _status) = (null, store.Status);
            return events;
        }
        catch (HistoryUnavailableException e)
        {
            _problem = e.Message;
            return null;
        }
    }

    // Comes from the writer's thread: the context brings the reader's language back.
    private void OnStored(IReadOnlySet<string> scopes)
    {
        if (scopes.Contains(Gateway))
        {
            ExecutionContext.Run(_context!, static self => _ = ((EventTimeline)self!).InvokeAsync(((EventTimeline)self!).TakeNewAsync), this);
        }
    }

    private async Task TakeNewAsync()
    {
        if (_loads > 0)
        {
            _missed = true; // The answer that is awaited may not have it yet.
            return;
        }

        if (_disposed || Paused || !_loaded)
        {
            return;
        }

        var asked = _asked;
        var newest = _fresh.Count > 0 ? _fresh[0].Id : _events.Count > 0 ? _events[0].Id : 0;
        if (await AskAsync(Query with { After = newest }) is not { Count: > 0 } events || asked != _asked)
        {
            return;
        }

        // Two rounds may overlap: what is there already is left out.
        newest = _fresh.Count > 0 ? _fresh[0].Id : _events.Count > 0 ? _events[0].Id : 0;
        _fresh = [.. events.Where(e => e.Id > newest), .. _fresh];
        if (await IsAtTopAsync())
        {
            ShowFresh();
        }

        StateHasChanged();
    }

    private void ShowFresh()
    {
        _events = [.. _fresh, .. _events];
        _fresh = [];
    }

    private async Task<bool> IsAtTopAsync()
    {
        if (_events.Count == 0)
        {
            return true;
        }

        try
        {
            _module ??= await js.InvokeAsync<IJSObjectReference>("import", JsLimit.Usual, "./Features/Connections/EventTimeline.razor.js");
            return await _module.InvokeAsync<bool>("isAtTop", JsLimit.Usual, _list);
        }
        catch (Exception e) when (e is JSException or JSDisconnectedException or OperationCanceledException)
        {
            return false;
        }
    }

    private string After(HistoryEvent e)
    {
        var at = _events.IndexOf(e);
        return at >= 0 && at + 1 < _events.Count && e.At >= _events[at + 1].At ? Figures.Duration(e.At - _events[at + 1].At) : Figures.Missing;
    }

    private void Choose(string kind, bool shown)
    {
        var kinds = HistoryEventKind.All.Where(k => k == kind ? shown : _kinds.Count == 0 || _kinds.Contains(k)).ToArray();
        Write(KindsKey, kinds.Length == HistoryEventKind.All.Count ? null : string.Join(',', kinds));
    }

    private void ShowAll() => navigation.NavigateTo(
        navigation.GetUriWithQueryParameters(new Dictionary<string, object?> { [KindsKey] = null, [OnKey] = null, [OfKey] = null, [FindKey] = null }), replace: true);

    private void Write(string key, string? value) => navigation.NavigateTo(navigation.GetUriWithQueryParameter(key, string.IsNullOrWhiteSpace(value) ? null : value.Trim()), replace: true);
}
