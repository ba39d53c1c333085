using System.Globalization;
using Microsoft.AspNetCore.Components;
using Microsoft.Extensions.Localization;
using MPSec.Data.History;
using MPSec.Linux.Values;

namespace MPSec.Features.Connections;

/// <summary>The newest events of one connection.</summary>
public sealed partial class ConnectionEvents(HistoryStore store, IStringLocalizer<ConnectionsTexts> texts) : IDisposable
{
    private const int Shown = 12;
    private ExecutionContext? _context;
    private IReadOnlyList<HistoryEvent> _events = [];
    private (string, string)? _asked;
    private string? _problem;

    /// <summary>Its gateway.</summary>
    [Parameter, EditorRequired]
    public required GatewayName Gateway { get; set; }

    /// <summary>Its token, 8 hexadecimal digits.</summary>
    [Parameter, EditorRequired]
    public required string Token { get; set; }

    /// <summary>Told when it began; null when that was not heard.</summary>
    [Parameter]
    public EventCallback<DateTimeOffset?> OnBegun { get; set; }

    private IStringLocalizer<ConnectionsTexts> L => texts;

    private EventWords Words => field ??= new(texts);

    /// <inheritdoc/>
    public void Dispose() => store.EventsStored -= OnStored;

    /// <inheritdoc/>
    protected override void OnInitialized()
    {
        _context = ExecutionContext.Capture();
        store.EventsStored += OnStored;
    }

    /// <inheritdoc/>
    protected override Task OnParametersSetAsync()
    {
        if (_asked == (Gateway.Value, Token))
        {
            return Task.CompletedTask;
        }

        (_asked, _events) = ((Gateway.Value, Token), []);
        return LoadAsync();
    }

    private async Task LoadAsync()
    {
        var asked = _asked;
        if (!uint.TryParse(Token, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var token))
        {
            return;
        }

        try
        {
            var query = new HistoryEventQuery(Gateway.Value) { Token = token, Limit = Shown };
            var (events, begin) = await Task.Run(() => (store.Events(query), store.Events(query with { Kinds = [HistoryEventKind.ConnectionCreated], Limit = 1 })));
            if (asked == _asked)
            {
                (_events, _problem) = (events, null);
                await OnBegun.InvokeAsync(begin.Count > 0 ? begin[0].At : null);
            }
        }
        catch (HistoryUnavailableException e)
        {
            _problem = e.Message;
        }
    }

    // Comes from the writer's thread: the context brings the reader's language back.
    private void OnStored(IReadOnlySet<string> scopes)
    {
        if (scopes.Contains(Gateway.Value))
        {
            ExecutionContext.Run(_context!, static self => _ = ((ConnectionEvents)self!).InvokeAsync(((ConnectionEvents)self!).RefreshAsync), this);
        }
    }

    private async Task RefreshAsync()
    {
        await LoadAsync();
        StateHasChanged();
    }
}
